"""The console: server-rendered pages for people, one module a page. `console.app.make` is the application.

Every module here that has a `router` is part of it. Pages read by services and store functions and change things by
services alone; the API (`http_api`) is not used. A page asks no other host for anything.
"""

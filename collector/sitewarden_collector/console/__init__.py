"""The console: server-rendered pages for people, one module a page. `router` is included by `http_api.app`'s maker.

Pages read by services and store functions and change things by services alone; the API (`http_api`) is not used.
"""

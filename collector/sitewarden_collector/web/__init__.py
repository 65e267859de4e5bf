"""What the API and the console share: the context of a request, who asks, errors, what is live. No page and no resource
lives here.
"""

package serve

import "net/http"

// pageHandler serves the page.
func pageHandler() http.Handler { return http.NotFoundHandler() }

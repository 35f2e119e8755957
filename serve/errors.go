package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
)

// apiError is an answer that says what is wrong, in OpenAI's form.
type apiError struct {
	Status  int
	Message string // one line
	Type    string
	Param   string // the field that it is about; "": null
	Code    string // for programs; "": null

	retry  int  // seconds after which the reason may be gone; 0: unknown
	repeat bool // the same request would fail again, though the status does not say so
}

func (e *apiError) Error() string { return e.Message }

// Types of errors.
const (
	invalidRequest = "invalid_request_error"
	serverFault    = "server_error"
)

// badRequest is an error about a field of the request; param may be "".
func badRequest(param, format string, args ...any) *apiError {
	return &apiError{Status: http.StatusBadRequest, Type: invalidRequest, Param: param, Message: fmt.Sprintf(format, args...)}
}

// refused is an error about the request as a whole.
func refused(status int, code, format string, args ...any) *apiError {
	return &apiError{Status: status, Type: invalidRequest, Code: code, Message: fmt.Sprintf(format, args...)}
}

// statusGone is what logs and metrics have of a request whose client went away.
const statusGone = 499

// errDeadline ends answers that take longer than Options.Deadline.
var errDeadline = errors.New("the answer took longer than the server allows")

// asAPI returns what clients are told about an error.
func asAPI(err error) *apiError {
	var e *apiError
	var failure *Failure
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, ErrBusy):
		return &apiError{Status: http.StatusTooManyRequests, Type: "rate_limit_error", Code: "queue_full", Message: ErrBusy.Error() + ": try again later", retry: 1}
	case errors.Is(err, ErrClosed):
		return &apiError{Status: http.StatusServiceUnavailable, Type: serverFault, Code: "shutting_down", Message: ErrClosed.Error(), retry: 5}
	case errors.Is(err, errDeadline):
		return &apiError{Status: http.StatusGatewayTimeout, Type: serverFault, Code: "deadline_exceeded", repeat: true,
			Message: errDeadline.Error() + ": ask for fewer tokens, or stream"}
	case errors.As(err, &failure):
		return &apiError{Status: http.StatusInternalServerError, Type: serverFault, Code: "model_failed", Message: "the model failed, which is a bug: start the server anew", repeat: true}
	case errors.Is(err, context.Canceled):
		return &apiError{Status: statusGone, Type: serverFault, Code: "cancelled", Message: "the request was cancelled"}
	}
	return &apiError{Status: http.StatusInternalServerError, Type: serverFault, Message: err.Error()}
}

// body returns the document that stands for the error.
func (e *apiError) body() any {
	type document struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    *string `json:"code"`
	}
	d := document{Message: e.Message, Type: e.Type}
	if e.Param != "" {
		d.Param = &e.Param
	}
	if e.Code != "" {
		d.Code = &e.Code
	}
	return map[string]document{"error": d}
}

// headers says in headers what clients' libraries look for there.
func (e *apiError) headers(h http.Header) {
	if e.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(e.retry))
	}
	if e.repeat {
		h.Set("X-Should-Retry", "false")
	}
	if e.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
}

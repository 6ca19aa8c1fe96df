package fault

// constant can only be a text that stands in the code: what is put together while running does not fit.
type constant string

// Noted is an error that says what happened in words of the code alone. Of all
// errors without a type of their own, only its text goes into the log.
type Noted struct {
	text  constant
	cause error
}

// Note makes an error whose text may be logged.
func Note(text constant) error { return &Noted{text: text} }

// Because notes what was being done when cause happened.
func Because(text constant, cause error) error { return &Noted{text: text, cause: cause} }

// Error implements error.
func (n *Noted) Error() string {
	if n.cause == nil {
		return string(n.text)
	}
	return string(n.text) + ": " + n.cause.Error()
}

// Unwrap gives the cause.
func (n *Noted) Unwrap() error { return n.cause }

// Text is what may be logged, without that of the cause.
func (n *Noted) Text() string { return string(n.text) }

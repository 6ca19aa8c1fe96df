package main

// problemNames says which shared response describes a status.
var problemNames = map[string]string{
	"400":     "Invalid",
	"401":     "Unauthenticated",
	"403":     "Refused",
	"404":     "NotFound",
	"409":     "Conflict",
	"413":     "TooLarge",
	"429":     "TooManyRequests",
	"503":     "Unavailable",
	"default": "Other",
}

// problems are the answers that are the same for every operation.
func problems() object {
	all := object{}
	for name, description := range map[string]string{
		"Invalid":         "The request is not well formed: a field is missing, unknown or of the wrong type.",
		"Unauthenticated": "Nobody is signed in, or the proof of who calls does not hold.",
		"Refused":         "The policy refused, and the caller may know why; or the request does not come from a page of this node.",
		"NotFound":        "Not found, or not for this caller: the answer is the same.",
		"Conflict":        "Another edit came first, or the state of the thing does not allow this step. Nothing is lost.",
		"TooLarge":        "A text is over 256 KiB, or the request over 1 MiB.",
		"TooManyRequests": "Too many requests; try again after a while.",
		"Unavailable":     "The policy, the consent register, the log or the other organisation's node cannot be reached. Nothing was shown and nothing is lost.",
		"Other":           "Anything else that went wrong.",
	} {
		h := object{"API-Version": ref("headers", "API-Version")}
		if name == "TooManyRequests" || name == "Unavailable" {
			h["Retry-After"] = ref("headers", "Retry-After")
		}
		all[name] = object{
			"description": description,
			"headers":     h,
			"content":     object{"application/problem+json": object{"schema": ref("schemas", "Problem")}},
		}
	}
	return all
}

func problem() object {
	word := func(description string) object { return object{"type": "string", "description": description} }
	return object{
		"type":        "object",
		"description": "Problem details (RFC 9457). It never holds a word that a user wrote.",
		"required":    []string{"type", "title", "status", "detail", "reason", "traceId"},
		"properties": object{
			"type":     object{"type": "string", "format": "uri-reference", "description": "Kind of problem; about:blank when the status says it all."},
			"title":    word("The phrase that belongs to the status."),
			"status":   object{"type": "integer", "minimum": 400, "maximum": 599, "description": "The HTTP status."},
			"detail":   word("One Dutch sentence for the person who asked."),
			"instance": object{"type": "string", "format": "uri-reference", "description": "This occurrence."},
			"reason":   word("Stable code, such as consent.expired or not-found."),
			"field":    word("Path of the field that is not well formed."),
			"nextStep": word("What the person can do now, in plain Dutch."),
			"traceId": object{"type": "string", "pattern": "^[0-9a-f]{32}$",
				"description": "Finds the decision and the log lines of this request, on both sides of a call between organisations."},
		},
	}
}

func headers() object {
	return object{
		"API-Version": object{
			"description": "Full version of the API.",
			"schema":      object{"type": "string", "examples": []string{"1.0.0"}},
		},
		"Retry-After": object{
			"description": "Seconds to wait.",
			"schema":      object{"type": "integer", "minimum": 0},
		},
	}
}

func securitySchemes() object {
	return object{
		"session": object{
			"type": "apiKey", "in": "cookie", "name": "__Host-zijlicht",
			"description": "A person's session, set by createSession. Over plain HTTP (a demo) its name is zijlicht_ and the node's name. " +
				"A request with a cookie must come from a page of the node: the header Sec-Fetch-Site or else Origin says so.",
		},
		"machine": object{
			"type":        "oauth2",
			"description": "A machine client of this organisation. It authenticates with private_key_jwt (RFC 7523); tokens live five minutes at most.",
			"flows": object{"clientCredentials": object{
				"tokenUrl": "/oauth2/token",
				"scopes":   object{"circle:read": "see the circles that the organisation is in"},
			}},
		},
		"proof": object{
			"type": "apiKey", "in": "header", "name": "DPoP",
			"description": "Proof of possession of the key that the access token is bound to (RFC 9449). The token goes in `Authorization: DPoP …`.",
		},
	}
}

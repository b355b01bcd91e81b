package io.vxseal.plugin;

import io.javalin.http.HttpStatus;

/** Refusal of a request whose body is too large or malformed. */
final class BadRequest extends Exception {
    final HttpStatus status;

    BadRequest(HttpStatus status, String message) {
        super(message);
        this.status = status;
    }
}

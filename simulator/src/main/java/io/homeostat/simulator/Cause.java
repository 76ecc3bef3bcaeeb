package io.homeostat.simulator;

/**
 * One reason why an object is refused: an entry of {@code details.causes} of a Status.
 *
 * @param field the path of the field, for example {@code spec.size}
 * @param reason the cause's machine-readable reason, for example {@code FieldValueInvalid}
 * @param message what is wrong, without the path, for example {@code Invalid value: 11: must be less than 10}
 */
record Cause(String field, String reason, String message) {
    static Cause invalid(String field, Object value, String detail) {
        return new Cause(field, "FieldValueInvalid", "Invalid value: " + Json.quoted(value) + ": " + detail);
    }

    static Cause required(String field, String detail) {
        return new Cause(
                field, "FieldValueRequired", detail.isEmpty() ? "Required value" : "Required value: " + detail);
    }

    static Cause duplicate(String field, Object value) {
        return new Cause(field, "FieldValueDuplicate", "Duplicate value: " + Json.quoted(value));
    }

    static Cause forbidden(String field, String detail) {
        return new Cause(field, "FieldValueForbidden", "Forbidden: " + detail);
    }

    static Cause notSupported(String field, Object value, String... supported) {
        StringBuilder message = new StringBuilder("Unsupported value: ").append(Json.quoted(value));
        String separator = ": supported values: ";
        for (String one : supported) {
            message.append(separator).append('"').append(one).append('"');
            separator = ", ";
        }
        return new Cause(field, "FieldValueNotSupported", message.toString());
    }

    static Cause tooLong(String field, String detail) {
        return new Cause(field, "FieldValueTooLong", "Too long: " + detail);
    }

    static Cause typeInvalid(String field, String detail) {
        return new Cause(field, "FieldValueTypeInvalid", detail);
    }

    /** The cause as a write to the status tells it: the field by its whole path, the sentence from the status on. */
    Cause inStatus() {
        return field.startsWith("status.")
                ? new Cause(
                        field,
                        reason,
                        message.replace(field + " in body", field.substring("status.".length()) + " in body"))
                : this;
    }

    /** The cause as one sentence of the Status message: the path, a colon, the message. */
    String sentence() {
        return field + ": " + message;
    }
}

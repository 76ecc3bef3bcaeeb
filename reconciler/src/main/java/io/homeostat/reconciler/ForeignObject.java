package io.homeostat.reconciler;

import io.homeostat.core.Coded;
import io.homeostat.core.Stable;

/**
 * An apply was refused because an object of that name is there and belongs to somebody else: it has no owner reference to the
 * reconciled object, or another controller (D33). Delete or rename one of them, or add the owner reference by hand.
 */
@Stable
public final class ForeignObject extends RuntimeException implements Coded {
    private static final String CODE = "HS-401";

    ForeignObject(String message) {
        super(Coded.message(message, CODE));
    }

    @Override
    public String code() {
        return CODE;
    }
}

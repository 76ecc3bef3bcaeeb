package io.homeostat.reconciler;

import io.homeostat.core.Stable;

/**
 * An apply was refused because an object of that name is there and belongs to somebody else: it has no owner reference to the
 * reconciled object, or another controller (D33). Delete or rename one of them, or add the owner reference by hand.
 */
@Stable
public final class ForeignObject extends RuntimeException {
    ForeignObject(String message) {
        super(message);
    }
}

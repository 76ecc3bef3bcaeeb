package io.homeostat.reconciler;

import io.homeostat.core.Coded;
import io.homeostat.core.Stable;

/** A cache cannot answer now: not filled yet, forbidden, or its CRD is missing. Let it pass: a quiet retry. */
@Stable
public final class CacheNotReady extends RuntimeException implements Coded {
    private static final String CODE = "HS-301";

    CacheNotReady(String message) {
        super(Coded.message(message, CODE));
    }

    @Override
    public String code() {
        return CODE;
    }
}

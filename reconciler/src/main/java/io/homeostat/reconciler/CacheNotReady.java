package io.homeostat.reconciler;

import io.homeostat.core.Stable;

/** A cache cannot answer now: not filled yet, forbidden, or its CRD is missing. Let it pass: a quiet retry. */
@Stable
public final class CacheNotReady extends RuntimeException {
    CacheNotReady(String message) {
        super(message);
    }
}

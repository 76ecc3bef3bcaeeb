package io.homeostat.client;

import io.homeostat.core.Stable;

/** Compares resource versions as KEP-5504 allows: digits only, by length, then by value. Never parsed into a number. */
@Stable
public final class ResourceVersions {
    private ResourceVersions() {}

    /**
     * Negative, zero or positive as {@code left} is older than, equal to or newer than {@code right}.
     *
     * @throws IllegalArgumentException when either is not a positive decimal number without leading zeros
     */
    public static int compare(String left, String right) {
        require(left);
        require(right);
        return left.length() != right.length() ? Integer.compare(left.length(), right.length()) : left.compareTo(right);
    }

    /** Whether {@link #compare} accepts it. */
    public static boolean comparable(String version) {
        if (version.isEmpty() || version.charAt(0) == '0') {
            return false;
        }
        for (int i = 0; i < version.length(); i++) {
            if (version.charAt(i) < '0' || version.charAt(i) > '9') {
                return false;
            }
        }
        return true;
    }

    private static void require(String version) {
        if (!comparable(version)) {
            throw new IllegalArgumentException("resourceVersion \"" + version
                    + "\" is not a positive decimal number: this server's versions cannot be compared (KEP-5504)");
        }
    }
}

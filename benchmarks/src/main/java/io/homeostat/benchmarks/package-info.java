/** What Homeostat costs, beside its peers and as it grows: benchmarks/README.md. Never published. */
@org.jspecify.annotations.NullMarked
package io.homeostat.benchmarks;

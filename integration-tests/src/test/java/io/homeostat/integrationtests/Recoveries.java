package io.homeostat.integrationtests;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;

/** How long caches took to be what the server has, once a fault was over: printed, and written to {@code target/}. */
final class Recoveries {
    private Recoveries() {}

    static void write(String suite, Map<String, CacheUnderFire.CaughtUp> times) {
        if (times.isEmpty()) {
            return;
        }
        StringBuilder text = new StringBuilder("from the end of the fault, from the first request after it\n");
        new TreeMap<>(times)
                .forEach((name, took) -> text.append("%7d ms %7d ms  %s%n"
                        .formatted(
                                took.fromFault().toMillis(), took.fromRequest().toMillis(), name)));
        text.append(line(suite + ", from the end of the fault", times, CacheUnderFire.CaughtUp::fromFault));
        text.append(line(suite + ", from the first request", times, CacheUnderFire.CaughtUp::fromRequest));
        System.out.print(text);
        try {
            Files.writeString(Path.of("target", suite + ".txt"), text);
        } catch (IOException e) {
            throw new UncheckedIOException("Cannot write the recovery times", e);
        }
    }

    private static String line(
            String what,
            Map<String, CacheUnderFire.CaughtUp> times,
            Function<CacheUnderFire.CaughtUp, Duration> figure) {
        List<Duration> sorted =
                new ArrayList<>(times.values().stream().map(figure).toList());
        sorted.sort(null);
        return "%s until the cache is what the server has: %d scenarios, p50 %d ms, p99 %d ms, longest %d ms%n"
                .formatted(
                        what,
                        sorted.size(),
                        percentile(sorted, 50).toMillis(),
                        percentile(sorted, 99).toMillis(),
                        sorted.get(sorted.size() - 1).toMillis());
    }

    private static Duration percentile(List<Duration> sorted, int percent) {
        return sorted.get(Math.min(sorted.size() - 1, sorted.size() * percent / 100));
    }
}

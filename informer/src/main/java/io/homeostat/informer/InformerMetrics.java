package io.homeostat.informer;

import io.homeostat.client.ApiException;
import io.homeostat.client.ResourceType;
import io.homeostat.core.Metrics;
import io.homeostat.core.Registration;
import io.homeostat.informer.InformerState.Phase;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The figures of one informer. All carry its name, group, version and resource, none an object's name (D21).
 *
 * <table>
 * <caption>Names</caption>
 * <tr><td>{@code reflector_…}, {@code informer_…}</td><td>as in client-go, where lists include those streamed by a watch</td></tr>
 * <tr><td>{@code homeostat_informer_phase}</td><td>1 for the present {@code phase}, 0 for each other</td></tr>
 * <tr><td>{@code homeostat_informer_synced}, {@code …_objects}, {@code …_own_writes}, {@code …_epoch}</td>
 *     <td>whether it was complete once; how many objects; own writes the server's part does not show yet; restores noticed</td></tr>
 * <tr><td>{@code homeostat_informer_last_event_age_seconds}</td><td>how long the server has said nothing; -1 when it never has</td></tr>
 * <tr><td>{@code homeostat_informer_quarantined}</td><td>objects whose newest version cannot be read</td></tr>
 * <tr><td>{@code homeostat_informer_problems_total}</td><td>refusals and breaks, by {@code verb} and {@code code}</td></tr>
 * <tr><td>{@code homeostat_informer_audits_total}, {@code …_audit_differences_total}</td>
 *     <td>comparisons with the server that came to an end, and objects that differed ({@link SharedInformers#auditEvery})</td></tr>
 * <tr><td>{@code homeostat_informer_handler_waiting}, {@code …_merged_total}, {@code …_failures_total}</td>
 *     <td>by {@code handler}: keys it has not been told of, versions merged into a later step, throws</td></tr>
 * </table>
 *
 * <p><b>Threads.</b> {@link #entered}, {@link #events}, {@link #listed}, {@link #audited}, {@link #problem} and {@link #close} on the informer's lane, the rest any. <b>Memory.</b> One meter for each code
 * of an answer. <b>Failure.</b> None: the metrics it is given are {@link Metrics#contained}.
 */
final class InformerMetrics implements Registration, HandlerFigures {
    /** The digits of a version that a gauge shows, as client-go has it: more do not survive a double. */
    private static final int DIGITS = 15;
    /** A watch that ends sooner, with nothing said, is short, as client-go has it. */
    private static final long SHORT = 1_000_000_000;

    private final Metrics metrics;
    private final String[] labels;
    private final List<Registration> meters = new ArrayList<>(); // filled by the constructor and show
    private final Metrics.Counter lists;
    private final Metrics.Histogram listSeconds;
    private final Metrics.Histogram itemsPerList;
    private final Metrics.Counter watches;
    private final Metrics.Counter shortWatches;
    private final Metrics.Histogram watchSeconds;
    private final Metrics.Histogram itemsPerWatch;
    private final Metrics.Counter audits;
    private final Metrics.Counter differences;
    final Metrics.Histogram processingSeconds;

    // All below: confined to the informer's lane.
    private final Map<String, Metrics.Counter> problems = new TreeMap<>();
    private boolean watching; // a watch was accepted or asked for, and has not ended
    private long askedAt; // when the list or watch that goes on was begun
    private long items; // of the watch that goes on

    InformerMetrics(Metrics metrics, String name, ResourceType<?> type) {
        this.metrics = metrics;
        this.labels =
                new String[] {"name", name, "group", type.group(), "version", type.version(), "resource", type.plural()
                };
        this.lists = counter("reflector_lists_total");
        this.listSeconds = histogram("reflector_list_duration_seconds");
        this.itemsPerList = histogram("reflector_items_per_list");
        this.watches = counter("reflector_watches_total");
        this.shortWatches = counter("reflector_short_watches_total");
        this.watchSeconds = histogram("reflector_watch_duration_seconds");
        this.itemsPerWatch = histogram("reflector_items_per_watch");
        this.audits = counter("homeostat_informer_audits_total");
        this.differences = counter("homeostat_informer_audit_differences_total");
        this.processingSeconds = histogram("informer_processing_latency_seconds");
    }

    private Metrics.Counter counter(String name) {
        Metrics.Counter counter = metrics.counter(name, labels);
        meters.add(counter::close);
        return counter;
    }

    private Metrics.Histogram histogram(String name) {
        Metrics.Histogram histogram = metrics.histogram(name, labels);
        meters.add(histogram::close);
        return histogram;
    }

    /** Begins to show what {@code informer} is doing. To be called once. */
    void show(Informer informer) {
        LongSupplier version = () -> digits(informer.snapshot().version());
        gauge("reflector_last_resource_version", version);
        gauge("informer_store_resource_version", version);
        gauge("informer_queued_items", informer::queued);
        gauge("homeostat_informer_synced", () -> informer.state().synced() ? 1 : 0);
        gauge("homeostat_informer_objects", () -> informer.snapshot().base().size());
        gauge(
                "homeostat_informer_own_writes",
                () -> informer.snapshot().overlay().size());
        gauge("homeostat_informer_epoch", () -> informer.snapshot().epoch());
        gauge("homeostat_informer_last_event_age_seconds", () -> {
            var age = informer.state().lastEventAge();
            return age == null ? -1 : age.toSeconds();
        });
        gauge("homeostat_informer_quarantined", () -> {
            InformerState state = informer.state();
            return (long) state.quarantine().size() + state.unnamed();
        });
        for (Phase phase : Phase.values()) {
            gauge(
                    "homeostat_informer_phase",
                    () -> informer.state().phase() == phase ? 1 : 0,
                    "phase",
                    phase.toString().toLowerCase(java.util.Locale.ROOT));
        }
    }

    private void gauge(String name, LongSupplier value, String... more) {
        meters.add(metrics.gauge(name, value, with(more)));
    }

    private String[] with(String... more) {
        String[] all = java.util.Arrays.copyOf(labels, labels.length + more.length);
        System.arraycopy(more, 0, all, labels.length, more.length);
        return all;
    }

    /** The last digits of a version; 0 when it is no number. */
    static long digits(String version) {
        String last = version.substring(Math.max(0, version.length() - DIGITS));
        return !last.isEmpty() && last.chars().allMatch(c -> c >= '0' && c <= '9') ? Long.parseLong(last) : 0;
    }

    /** The Reflector has entered a phase: that is when lists and watches begin, and watches end. */
    void entered(Phase before, Phase now, @Nullable ApiException cause, long nanos) {
        boolean sameStream = before == Phase.STREAMING && now == Phase.WATCHING && cause == null;
        if (sameStream) {
            return; // its initial events are over
        }
        if (watching) {
            watching = false;
            watchSeconds.record((nanos - askedAt) / 1e9);
            itemsPerWatch.record((double) items);
            if (nanos - askedAt < SHORT && items == 0) {
                shortWatches.add(1);
            }
        }
        if (cause == null && (now == Phase.STREAMING || now == Phase.WATCHING)) {
            watching = true;
            items = 0;
            watches.add(1);
        }
        askedAt = nanos;
    }

    /** A watch said so many changes. */
    void events(int number) {
        items += number;
    }

    /** A list, or the initial events of a watch, came to its end. */
    void listed(int number, long nanos) {
        lists.add(1);
        itemsPerList.record(number);
        listSeconds.record((nanos - askedAt) / 1e9);
        items += number;
    }

    /** The cache was compared with the server. */
    void audited(int different) {
        audits.add(1);
        differences.add(different);
    }

    /** A list or watch was refused, or broke. */
    void problem(String verb, ApiException cause) {
        int code = cause.answer().code();
        problems.computeIfAbsent(
                        verb + " " + code,
                        key -> metrics.counter(
                                "homeostat_informer_problems_total",
                                with("verb", verb, "code", code == 0 ? "none" : Integer.toString(code))))
                .add(1);
    }

    /** The figures of one handler. */
    @Override
    public Handler handler(String handler, LongSupplier waiting, LongSupplier running) {
        return handler(metrics, with("handler", handler), waiting, running);
    }

    /** Of handlers that belong to no single informer. */
    static HandlerFigures handlers(Metrics metrics, String name, ResourceType<?> type) {
        return (handler, waiting, running) -> handler(
                metrics,
                new String[] {
                    "name",
                    name,
                    "group",
                    type.group(),
                    "version",
                    type.version(),
                    "resource",
                    type.plural(),
                    "handler",
                    handler
                },
                waiting,
                running);
    }

    private static Handler handler(Metrics metrics, String[] all, LongSupplier waiting, LongSupplier running) {
        return new Handler(
                metrics.gauge("homeostat_informer_handler_waiting", waiting, all),
                metrics.gauge("homeostat_informer_handler_running_seconds", running, all),
                metrics.counter("homeostat_informer_handler_merged_total", all),
                metrics.counter("homeostat_informer_handler_failures_total", all));
    }

    @Override
    public void close() {
        meters.forEach(Registration::close);
        problems.values().forEach(Metrics.Counter::close);
    }

    /** The figures of one handler; closed with it. */
    record Handler(Registration waiting, Registration running, Metrics.Counter merged, Metrics.Counter failures)
            implements Registration {
        @Override
        public void close() {
            waiting.close();
            running.close();
            merged.close();
            failures.close();
        }
    }
}

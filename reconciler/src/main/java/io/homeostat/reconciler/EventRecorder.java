package io.homeostat.reconciler;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.MicroTime;
import io.fabric8.kubernetes.api.model.ObjectReference;
import io.fabric8.kubernetes.api.model.ObjectReferenceBuilder;
import io.fabric8.kubernetes.api.model.events.v1.Event;
import io.fabric8.kubernetes.api.model.events.v1.EventBuilder;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ApiException;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import io.homeostat.client.ResourceType;
import io.homeostat.core.Backoff;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Lane;
import io.homeostat.core.Metrics;
import io.homeostat.core.Registration;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sends what {@link Events} are told to the server, repeats as one object (KEP-383).
 *
 * <pre>
 *   (new) ── its object has a token ──► WAITING ──► SENDING ── done ──► TOLD ── repeats, after a growing interval ──► WAITING
 *     │ no token                           ▲           │                   │ nothing for {@value #FORGET_MINUTES} minutes
 *     ▼                                    └─ backoff ─┤                   ▼
 *    lost ◄──────────────── refused, or tried too often┘              forgotten: the next one is new
 * </pre>
 *
 * <p><b>Order.</b> Writes of one series follow each other; series do not wait for each other. <b>Threads.</b> {@link #record} may be
 * called from any and never blocks; state is confined to a lane. <b>Memory.</b> At most {@value #MAX_SERIES} series, {@value
 * #MAX_BUCKETS} token buckets and {@value #MAX_INBOX} events that the lane has not seen yet, the least recently used given up first.
 * <b>Failure.</b> What the server does not take is lost: counted, and logged once a minute at most. Nothing is thrown. An event's
 * create is repeated after a lost answer: its name is chosen here, so that a second one is refused.
 */
final class EventRecorder {
    // Invariants, on the lane: a series is in `series`, unless it was given up; waiting holds a series at most once,
    // and only one
    // that is in `series` and not being sent; inFlight is the number of series being sent, at most MAX_IN_FLIGHT; a
    // series has a timer
    // only while it is neither waiting nor being sent.

    static final ResourceType<Event> EVENTS = ResourceType.of(Event.class);
    static final int BURST = 25;
    static final Duration REFILL = Duration.ofMinutes(5);
    static final int MAX_INBOX = 1000;
    static final int MAX_SERIES = 4096;
    static final int MAX_BUCKETS = 4096;

    /** Longer than the longest backoff of a key, so that what is retried is one series. */
    static final int FORGET_MINUTES = 12;

    private static final int MAX_IN_FLIGHT = 4;
    private static final int MAX_TRIES = 12;
    private static final int MAX_NOTE = 1024;
    private static final int MAX_WORD = 128;
    private static final int MAX_CONTROLLER = 63;
    private static final Backoff TELLING = new Backoff(Duration.ofSeconds(10), 2, Duration.ofMinutes(10), 0);
    private static final Backoff RETRYING = new Backoff(Duration.ofMillis(500), 2, Duration.ofSeconds(30), 0.5);
    private static final Duration SAYING = Duration.ofMinutes(1);
    private static final DateTimeFormatter MICRO_TIME = DateTimeFormatter.ofPattern(
                    "yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'", Locale.ROOT)
            .withZone(ZoneOffset.UTC);
    private static final Logger log = LoggerFactory.getLogger(EventRecorder.class);

    private final EngineRuntime runtime;
    private final ApiClient client;
    private final String controller;
    private final String instance;
    private final Lane lane;
    private final RandomGenerator random;
    private final Metrics.Counter lostTotal;
    private final AtomicInteger inbox = new AtomicInteger(); // told and not seen by the lane yet
    private final AtomicLong overflown = new AtomicLong(); // lost because the inbox was full, and not counted yet
    private final CompletableFuture<Void> finished = new CompletableFuture<>();

    private final Map<Said, Series> series =
            new LinkedHashMap<>(16, 0.75f, true); // confined to the lane; eldest use first
    private final Map<Subject, Bucket> buckets = new LinkedHashMap<>(16, 0.75f, true); // confined to the lane
    private final Set<Series> waiting = new LinkedHashSet<>(); // confined to the lane; in the order they came
    private int inFlight; // confined to the lane
    private boolean finishing; // confined to the lane
    private long unsaid; // confined to the lane: lost since the log said so
    private long saidAt; // confined to the lane
    private boolean saidOnce; // confined to the lane

    /** Which object an event is about. */
    record Subject(String apiVersion, String kind, ObjectKey key, String uid) {
        static Subject of(ResourceType<?> type, RawObject object) {
            return new Subject(type.apiVersion(), type.kind(), object.key(), object.uid());
        }

        static Subject of(ResourceType<?> type, HasMetadata object) {
            String namespace = object.getMetadata().getNamespace();
            String name = object.getMetadata().getName();
            String uid = object.getMetadata().getUid();
            return new Subject(
                    type.apiVersion(),
                    type.kind(),
                    new ObjectKey(namespace == null ? "" : namespace, name == null ? "" : name),
                    uid == null ? "" : uid);
        }

        private ObjectReference reference() {
            return new ObjectReferenceBuilder()
                    .withApiVersion(apiVersion)
                    .withKind(kind)
                    .withNamespace(key.namespace().isEmpty() ? null : key.namespace())
                    .withName(key.name())
                    .withUid(uid.isEmpty() ? null : uid)
                    .build();
        }
    }

    /** What was said; equal ones are repeats. */
    record Said(
            Subject about, Events.Type type, String reason, String action, String note, @Nullable Subject related) {}

    /** What a series is known as; confined to the lane. */
    private static final class Series {
        final Said said;
        final Instant first;
        ObjectKey key;
        Instant last;
        long lastNanos;
        long count = 1;
        long countTold;
        int told;
        int tries;
        boolean there;
        boolean doubtful;
        boolean busy;
        boolean forgotten;

        @Nullable
        Registration timer;

        Series(Said said, ObjectKey key, Instant first, long nanos) {
            this.said = said;
            this.key = key;
            this.first = first;
            this.last = first;
            this.lastNanos = nanos;
        }

        void stopTimer() {
            if (timer != null) {
                timer.close();
                timer = null;
            }
        }
    }

    /** How many new events an object may have; confined to the lane. */
    private static final class Bucket {
        double tokens = BURST;
        long at;
    }

    /**
     * A recorder.
     *
     * @param controller who reports: a qualified name, of which 63 characters are kept
     * @param instance which process reports
     */
    EventRecorder(EngineRuntime runtime, ApiClient client, String controller, String instance, Metrics metrics) {
        this.runtime = runtime;
        this.client = client;
        this.controller = qualified(controller);
        this.instance = cut(instance, MAX_WORD);
        this.lane = runtime.lane("events/" + controller);
        this.random = runtime.random("events/" + controller);
        this.lostTotal =
                Metrics.contained(metrics, runtime).counter("homeostat_events_lost_total", "operator", controller);
    }

    /** The events of one object. */
    Events about(Subject subject) {
        return new Events() {
            @Override
            public void record(Type type, String reason, String action, String note) {
                EventRecorder.this.record(subject, type, reason, action, note, null);
            }

            @Override
            public void record(Type type, String reason, String action, String note, HasMetadata related) {
                Subject other = null;
                try {
                    other = Subject.of(ResourceType.of(related.getClass()), related);
                } catch (RuntimeException unnameable) {
                    log.debug("an object that is related to {} cannot be referred to", subject, unnameable);
                }
                EventRecorder.this.record(subject, type, reason, action, note, other);
            }
        };
    }

    /** Any thread; never blocks, never throws. */
    private void record(
            Subject about, Events.Type type, String reason, String action, String note, @Nullable Subject related) {
        Instant now = runtime.wallClock();
        Said said = new Said(about, type, cut(reason, MAX_WORD), cut(action, MAX_WORD), cut(note, MAX_NOTE), related);
        if (inbox.getAndIncrement() >= MAX_INBOX) {
            inbox.decrementAndGet();
            overflown.incrementAndGet();
            return; // what is in the inbox says so
        }
        lane.execute(() -> {
            inbox.decrementAndGet();
            long before = overflown.getAndSet(0);
            if (before > 0) {
                lost(said, before, MAX_INBOX + " others had not been looked at yet");
            }
            occurred(said, now);
        });
    }

    /**
     * Sends what waits, for at most {@code longest}, and takes nothing more. Any thread.
     *
     * @return completes when nothing is under way, or the time is over
     */
    CompletionStage<Void> finish(Duration longest) {
        lane.execute(() -> {
            finishing = true;
            Registration limit = runtime.after(longest, lane, () -> finished.complete(null));
            finished.whenComplete((nothing, never) -> {
                limit.close();
                series.values().forEach(Series::stopTimer);
                if (unsaid > 0) {
                    log.warn("operator {}: {} more events were lost [HS-406]", controller, unsaid);
                }
            });
            finishIfIdle();
        });
        return finished;
    }

    private void finishIfIdle() {
        if (finishing && waiting.isEmpty() && inFlight == 0) {
            finished.complete(null);
        }
    }

    private void occurred(Said said, Instant now) {
        if (finishing) {
            lost(said, "the operator is stopping");
            return;
        }
        long nanos = runtime.nanos();
        Series known = series.get(said);
        if (known != null
                && nanos - known.lastNanos > Duration.ofMinutes(FORGET_MINUTES).toNanos()
                && !known.busy) {
            forget(known);
            known = null;
        }
        if (known == null) {
            begin(said, now, nanos);
            return;
        }
        known.count++;
        known.last = now;
        known.lastNanos = nanos;
        tellLater(known);
    }

    private void begin(Said said, Instant now, long nanos) {
        if (said.reason.isEmpty() || said.action.isEmpty()) {
            lost(said, "it has no reason or no action, which every event must have");
            return;
        }
        if (!take(said.about, nanos)) {
            lost(said, "its object has had " + BURST + " different ones, and gets one more every " + Texts.of(REFILL));
            return;
        }
        Series fresh = new Series(said, nameFor(said.about), now, nanos);
        series.put(said, fresh);
        if (series.size() > MAX_SERIES) {
            Series eldest = series.values().iterator().next();
            forget(eldest);
            boolean underWay = eldest.busy && !waiting.remove(eldest);
            if (!eldest.there && !underWay) {
                lost(eldest.said, "too many others came after it");
            }
        }
        enqueue(fresh);
    }

    private void forget(Series known) {
        known.stopTimer();
        known.forgotten = true;
        series.remove(known.said, known);
    }

    private boolean take(Subject about, long nanos) {
        Bucket bucket = buckets.computeIfAbsent(about, key -> {
            Bucket full = new Bucket();
            full.at = nanos;
            return full;
        });
        if (buckets.size() > MAX_BUCKETS) {
            buckets.remove(buckets.keySet().iterator().next());
        }
        bucket.tokens = Math.min(BURST, bucket.tokens + (double) (nanos - bucket.at) / REFILL.toNanos());
        bucket.at = nanos;
        if (bucket.tokens < 1) {
            return false;
        }
        bucket.tokens--;
        return true;
    }

    /** {@code name.1f0c…}: unique, and beginning like the object, as those of client-go are. */
    private ObjectKey nameFor(Subject about) {
        String suffix = "." + Long.toHexString(random.nextLong());
        String name = about.key.name();
        int longest = 253 - suffix.length();
        String begin = name.length() > longest ? name.substring(0, longest) : name;
        // The namespace of an event about a cluster-scoped object is "default" (ValidateEvent of Kubernetes).
        return new ObjectKey(about.key.namespace().isEmpty() ? "default" : about.key.namespace(), begin + suffix);
    }

    private void tellLater(Series known) {
        if (!known.busy && known.timer == null && known.count > known.countTold) {
            known.timer = runtime.after(TELLING.delay(known.told, random), lane, () -> {
                known.timer = null;
                enqueue(known);
            });
        }
    }

    private void enqueue(Series known) {
        known.busy = true;
        waiting.add(known);
        pump();
    }

    private void pump() {
        while (inFlight < MAX_IN_FLIGHT && !waiting.isEmpty()) {
            Series next = waiting.iterator().next();
            waiting.remove(next);
            inFlight++;
            long count = next.count;
            send(next)
                    .whenComplete((answer, thrown) -> lane.execute(() -> {
                        inFlight--;
                        next.busy = false;
                        answered(next, count, thrown);
                        pump();
                        finishIfIdle();
                    }));
        }
    }

    private CompletionStage<RawObject> send(Series next) {
        if (next.there) {
            return client.patch(
                    EVENTS,
                    next.key,
                    "",
                    ApiClient.PatchKind.MERGE,
                    ("{\"series\":{\"count\":" + next.count + ",\"lastObservedTime\":\"" + MICRO_TIME.format(next.last)
                                    + "\"}}")
                            .getBytes(StandardCharsets.UTF_8));
        }
        return client.create(EVENTS, next.key, client.encode(body(next)));
    }

    private Event body(Series next) {
        Said said = next.said;
        EventBuilder event = new EventBuilder()
                .withNewMetadata()
                .withNamespace(next.key.namespace())
                .withName(next.key.name())
                .endMetadata()
                .withEventTime(new MicroTime(MICRO_TIME.format(next.first)))
                .withType(said.type == Events.Type.NORMAL ? "Normal" : "Warning")
                .withReason(said.reason)
                .withAction(said.action)
                .withNote(said.note)
                .withRegarding(said.about.reference())
                .withRelated(said.related == null ? null : said.related.reference())
                .withReportingController(controller)
                .withReportingInstance(instance);
        if (next.count > 1) {
            event.withNewSeries()
                    .withCount((int) Math.min(Integer.MAX_VALUE, next.count))
                    .withLastObservedTime(new MicroTime(MICRO_TIME.format(next.last)))
                    .endSeries();
        }
        return event.build();
    }

    private void answered(Series sent, long count, @Nullable Throwable thrown) {
        Throwable failure =
                thrown instanceof CompletionException && thrown.getCause() != null ? thrown.getCause() : thrown;
        if (failure == null) {
            done(sent, count);
        } else if (failure instanceof ApiException.AlreadyExists && sent.doubtful) {
            done(sent, Math.min(count, 1)); // the one whose answer was lost; how much it told is not known
        } else if (failure instanceof ApiException.AlreadyExists
                || (failure instanceof ApiException.NotFound missing
                        && sent.there
                        && missing.misses(sent.key.name()))) {
            // Another object has the name; or ours is gone, as events go after an hour.
            sent.there = false;
            sent.key = nameFor(sent.said.about);
            again(sent, failure, Duration.ZERO);
        } else if (failure instanceof ApiException.OutcomeUnknown
                || failure instanceof ApiException.Unreachable
                || failure instanceof ApiException.ServerError
                || failure instanceof ApiException.TooManyRequests
                // About the type, which the server does not serve just now. About the namespace, it is gone for good.
                || (failure instanceof ApiException.NotFound missing && !missing.misses(sent.key.namespace()))) {
            sent.doubtful |= failure instanceof ApiException.OutcomeUnknown && !sent.there;
            Duration asked = ((ApiException) failure).retryAfter().orElse(Duration.ZERO);
            Duration backoff = RETRYING.delay(sent.tries + 1, random);
            again(sent, failure, asked.compareTo(backoff) > 0 ? asked : backoff);
        } else {
            givenUp(sent, failure);
        }
    }

    private void done(Series sent, long count) {
        sent.there = true;
        sent.doubtful = false;
        sent.tries = 0;
        sent.told++;
        sent.countTold = count;
        if (!finishing && !sent.forgotten) {
            tellLater(sent);
        }
    }

    private void again(Series sent, Throwable failure, Duration delay) {
        sent.tries++;
        if (sent.tries >= MAX_TRIES || finishing || sent.forgotten) {
            givenUp(sent, failure);
            return;
        }
        sent.timer = runtime.after(delay, lane, () -> {
            sent.timer = null;
            enqueue(sent);
        });
    }

    private void givenUp(Series sent, Throwable failure) {
        forget(sent);
        if (failure instanceof ApiException.NotFound
                || (failure instanceof ApiException.Forbidden forbidden && Outcome.namespaceGoes(forbidden))) {
            // Its namespace goes, and with it whoever the event was about: nothing to mend, nothing to say.
            lostTotal.add(1);
            return;
        }
        lost(
                sent.said,
                Texts.of(failure)
                        + (failure instanceof ApiException.Forbidden
                                ? "; the operator needs the rights to create and patch events.events.k8s.io"
                                : ""));
    }

    private void lost(Said said, String why) {
        lost(said, 1, why);
    }

    private void lost(Said said, long number, String why) {
        lostTotal.add(number);
        unsaid += number;
        long now = runtime.nanos();
        if (saidOnce && now - saidAt < SAYING.toNanos()) {
            return;
        }
        log.warn(
                "operator {}: {} lost; the last: {} of {} {}: {} [HS-406]",
                controller,
                unsaid == 1 ? "an event was" : unsaid + " events were",
                said.reason,
                said.about.kind,
                said.about.key,
                why);
        unsaid = 0;
        saidAt = now;
        saidOnce = true;
    }

    /** A qualified name (ValidateEvent): 63 letters, digits, '-', '_', '.', with a letter or digit at both ends. */
    private static String qualified(String name) {
        int end = Math.min(name.length(), MAX_CONTROLLER);
        while (end > 1 && !Character.isLetterOrDigit(name.charAt(end - 1))) {
            end--;
        }
        return name.substring(0, end);
    }

    /** The beginning of {@code text} that has at most {@code bytes} in UTF-8, with an ellipsis when something is missing. */
    private static String cut(@Nullable String text, int bytes) {
        if (text == null) { // from code without a null checker; what is missing is said when it is lost
            return "";
        }
        if (text.length() <= bytes / 3 || text.getBytes(StandardCharsets.UTF_8).length <= bytes) {
            return text;
        }
        int used = 3; // the ellipsis
        int end = 0;
        while (end < text.length()) {
            int point = text.codePointAt(end);
            int size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
            if (used + size > bytes) {
                break;
            }
            used += size;
            end += Character.charCount(point);
        }
        return text.substring(0, end) + "…";
    }
}

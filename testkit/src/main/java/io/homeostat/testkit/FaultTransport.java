package io.homeostat.testkit;

import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Experimental;
import io.homeostat.core.Headers;
import io.homeostat.core.HttpCall;
import io.homeostat.core.Lane;
import io.homeostat.core.Transport;
import io.homeostat.core.TransportException;
import io.homeostat.core.TransportException.Sent;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * A {@link Transport} that does to what passes what a {@link FaultPlan} says: the same rules as a {@link FaultProxy}, without sockets,
 * on the time of any runtime, a virtual one included.
 *
 * <p><b>Order.</b> As {@link Transport} says. <b>Threads.</b> Any; listeners are called on a lane of the runtime, one an exchange.
 * <b>Memory.</b> One chunk an exchange; what a rule holds back. <b>Failure.</b> A reset, and a connection that is closed, is
 * {@link TransportException}: {@link Sent#NO} at the point {@code connect}, else {@link Sent#MAYBE}. Failures of the transport behind
 * pass as they are.
 */
@Experimental
public final class FaultTransport implements Transport {
    private final Transport behind;
    private final EngineRuntime runtime;
    private final FaultScript script;

    private FaultTransport(Transport behind, EngineRuntime runtime, FaultPlan plan) {
        this.behind = behind;
        this.runtime = runtime;
        this.script = new FaultScript(plan);
    }

    /**
     * Decorates a transport.
     *
     * @param behind closed with this one
     * @param runtime for lanes and delays
     * @param plan what to do; {@link #follow} changes it
     */
    public static FaultTransport around(Transport behind, EngineRuntime runtime, FaultPlan plan) {
        return new FaultTransport(
                Objects.requireNonNull(behind, "behind"),
                Objects.requireNonNull(runtime, "runtime"),
                Objects.requireNonNull(plan, "plan"));
    }

    /** Follows another plan from now on, for exchanges that begin from now on; its counts begin anew. */
    public void follow(FaultPlan plan) {
        script.follow(plan);
    }

    /** The plan that is followed now; its text replays it. */
    public FaultPlan plan() {
        return script.plan();
    }

    /** The plans, and what their rules have done, oldest first: exchange, point, action. The newest 10,000 lines. */
    public List<String> log() {
        return script.log();
    }

    /**
     * How many requests have come so far, whatever became of them.
     *
     * @param verb as in RBAC
     * @param resource plural, with its subresource if any; a path that is no resource as it is
     */
    public int requests(String verb, String resource) {
        return script.requests(verb, resource);
    }

    /** How often a rule has acted. */
    public int faults() {
        return script.faults();
    }

    @Override
    public Exchange open(HttpCall call, AnswerListener listener) {
        Relay relay = new Relay(call, listener);
        relay.lane.execute(relay::begin);
        return relay;
    }

    @Override
    public void close() {
        behind.close();
    }

    private static FaultCourse.Accepts accepted(HttpCall call) {
        return call.headers().first("Accept-Encoding").orElse("").contains("gzip")
                ? FaultCourse.Accepts.GZIP
                : FaultCourse.Accepts.PLAIN;
    }

    /** The same call, which does not ask for a compressed answer. */
    private static HttpCall plain(HttpCall call) {
        Headers headers = Headers.of(call.headers().all().stream()
                .filter(header -> !header.name().equalsIgnoreCase("Accept-Encoding"))
                .toList());
        return new HttpCall(call.method(), call.target(), headers, call.body(), call.kind());
    }

    /** How far a request has come, as its sender sees it. */
    private enum Stage {
        CONNECTING,
        SENT,
        OVER
    }

    /** One exchange. */
    private final class Relay implements Exchange, AnswerListener {
        /*
         * Invariants
         * - Steps are taken in order; nothing is taken while a pause lasts, and nothing after the last step.
         * - stage: CONNECTING -> SENT -> OVER, or CONNECTING -> OVER; nothing is opened behind but in SENT.
         * - At most one chunk is asked of the transport behind, and only when every step has been taken.
         */
        private final HttpCall call;
        private final AnswerListener listener;
        private final Lane lane = runtime.lane("fault-transport");
        private final AtomicReference<Stage> stage = new AtomicReference<>(Stage.CONNECTING);
        private final ArrayDeque<FaultStep> steps = new ArrayDeque<>(); // confined to lane, as all below
        private @Nullable FaultCourse course;
        private volatile @Nullable Exchange upstream; // written on lane, read by who gives up
        private @Nullable TransportException failure;
        private long demanded;
        private boolean asked;
        private boolean pausing;
        private boolean silent;

        Relay(HttpCall call, AnswerListener listener) {
            this.call = call;
            this.listener = listener;
        }

        void begin() {
            steps.addAll(script.connection("over a transport"));
            take();
        }

        @Override
        public void demand(int chunks) {
            lane.execute(() -> {
                demanded += chunks;
                take();
            });
        }

        @Override
        public void cancel() {
            giveUp();
        }

        @Override
        public Sent giveUp() {
            Stage was = stage.getAndSet(Stage.OVER);
            if (was == Stage.CONNECTING) {
                return Sent.NO;
            }
            Exchange behindIt = upstream;
            if (behindIt != null) {
                return behindIt.giveUp();
            }
            if (was == Stage.SENT) {
                lane.execute(this::cancelUpstream); // it may be being opened
            }
            return Sent.MAYBE;
        }

        private boolean isOver() {
            return stage.get() == Stage.OVER;
        }

        @Override
        public Optional<String> refusal() {
            return listener.refusal();
        }

        private void cancelUpstream() {
            Exchange behindIt = upstream;
            if (behindIt != null) {
                behindIt.cancel();
            }
        }

        @Override
        public void head(int status, Headers headers) {
            lane.execute(() -> arrived(course().head(status, headers)));
        }

        @Override
        public void chunk(byte[] bytes) {
            lane.execute(() -> {
                asked = false;
                arrived(course().chunk(bytes));
            });
        }

        @Override
        public void end() {
            lane.execute(() -> arrived(course().end()));
        }

        @Override
        public void failed(TransportException cause) {
            lane.execute(() -> {
                failure = cause;
                take();
            });
        }

        private FaultCourse course() {
            return Objects.requireNonNull(course);
        }

        private void arrived(List<FaultStep> more) {
            steps.addAll(more);
            take();
        }

        private void take() {
            while (!isOver() && !pausing && !steps.isEmpty() && !silent) {
                FaultStep step = steps.element();
                if (step instanceof FaultStep.Bytes && demanded == 0) {
                    return;
                }
                steps.remove();
                if (step instanceof FaultStep.Head head) {
                    listener.head(head.status(), head.headers());
                } else if (step instanceof FaultStep.Bytes bytes) {
                    demanded--;
                    listener.chunk(bytes.bytes());
                } else if (step instanceof FaultStep.Pause pause) {
                    pausing = true;
                    runtime.after(pause.time(), lane, () -> {
                        pausing = false;
                        take();
                    });
                } else if (step instanceof FaultStep.Over end) {
                    finish(end.how());
                }
            }
            if (!isOver() && !pausing && steps.isEmpty()) {
                more();
            }
        }

        private void finish(FaultAction.End how) {
            if (how == FaultAction.End.SILENCE) {
                silent = true; // the server goes on talking to nobody
                return;
            }
            Stage was = stage.getAndSet(Stage.OVER);
            if (was != Stage.OVER) {
                cancelUpstream();
                if (how == FaultAction.End.END) {
                    listener.end();
                } else {
                    listener.failed(new TransportException(
                            was == Stage.CONNECTING ? Sent.NO : Sent.MAYBE,
                            call + " failed: the connection was " + (how == FaultAction.End.RESET ? "reset" : "closed")
                                    + " by a fault rule",
                            null));
                }
            }
        }

        private void more() {
            if (failure != null) {
                if (!silent && stage.getAndSet(Stage.OVER) != Stage.OVER) {
                    listener.failed(failure);
                }
            } else if (course == null) {
                if (!silent && stage.compareAndSet(Stage.CONNECTING, Stage.SENT)) {
                    course = script.exchange("", call.method(), call.target(), accepted(call));
                    arrived(course.request());
                }
            } else if (upstream == null) {
                if (!silent && !course.isOver()) {
                    upstream = behind.open(plain(call), this);
                    take();
                }
            } else if (!asked && (silent || (demanded > 0 && !course.isOver()))) {
                asked = true;
                Objects.requireNonNull(upstream).demand(1);
            }
        }
    }
}

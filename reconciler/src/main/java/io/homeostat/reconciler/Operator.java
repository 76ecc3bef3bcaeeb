package io.homeostat.reconciler;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.homeostat.client.BlockingApiClient;
import io.homeostat.client.ResourceType;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Metrics;
import io.homeostat.core.Stable;
import io.homeostat.core.Transport;
import io.homeostat.informer.InformerState;
import io.homeostat.informer.StorePolicy;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * An operator: some controllers, and the process they run in. Describe it, then {@link #run} it.
 *
 * <pre>{@code
 * Operator.named("memcached-operator")
 *         .controller(Memcached.class, c -> c.owns(Deployment.class).reconciler(new MemcachedReconciler()))
 *         .run(args);
 * }</pre>
 *
 * <p>The same description may be started several times, each on a runtime of its own: nothing is static, and operators in one JVM
 * do not see each other.
 *
 * <p><b>Order.</b> Each controller begins to work when its own caches are filled. A missing CRD or right is named in the log and
 * waited for; nothing ends because of it. A stop takes no new work, waits for what is under way, interrupts it at the
 * {@link #drainTimeout drain timeout}, then closes the caches. <b>Threads.</b> A description is made on one thread; what runs may be
 * asked and stopped from any. <b>Failure.</b> A VM error other than a stack overflow ends it (D35); everything else is retried.
 */
@Stable
public final class Operator {
    private static final Pattern NAMESPACE = Pattern.compile("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?");
    private static final Pattern NAME = Pattern.compile("[a-zA-Z0-9]([a-zA-Z0-9._-]{0,126}[a-zA-Z0-9])?");

    private final String name;
    private final List<ControllerSpec<?>> specs = new ArrayList<>();
    private final List<KeyControllerSpec<?>> keySpecs = new ArrayList<>();
    private final List<ReconcileObserver> observers = new ArrayList<>();
    private final Map<String, Flag> flags = new LinkedHashMap<>();
    private @Nullable ClusterSource defaultCluster;
    private Metrics metrics = Metrics.NONE;
    private SortedSet<String> namespaces = Collections.emptySortedSet();
    private String instance = "";
    private Duration drainTimeout = Duration.ofSeconds(20);
    private Duration cacheAudit = Duration.ZERO;
    private final Map<ResourceType<?>, StorePolicy> stores = new LinkedHashMap<>();
    private Dispatcher.Limits limits = Dispatcher.Limits.DEFAULT;

    /** An operator at work. */
    @Stable
    public interface Running {
        /**
         * Completes when every controller works, in one of its namespaces at least where it works in some only; fails when the operator
         * ends before.
         */
        CompletionStage<Void> working();

        /** What each controller is doing. */
        List<ControllerState> controllers();

        /** What the caches of the controllers are doing: each resource once, however many controllers read it. */
        List<InformerState> caches();

        /** Where it works, in their order; empty for everywhere, or when the last one was removed. */
        SortedSet<String> namespaces();

        /**
         * Works in one more namespace: its caches fill, secondaries first, then work begins there, with all there is. One that cannot be read
         * holds up no other; it begins when it can. A controller of cluster-scoped objects asks all namespaces for what an object owns: until
         * the new one is filled, {@link Context#owned} of it is a quiet retry.
         *
         * @return completes when every controller works there; fails when the namespace is removed, or the operator stopped, before
         * @throws IllegalArgumentException when it is no name of a namespace
         * @throws IllegalStateException when the operator works everywhere, or is stopping
         */
        CompletionStage<Void> addNamespace(String namespace);

        /**
         * Works in that namespace no more: no reconcile begins there, those under way end, then its caches are let go. Nothing there is
         * changed or deleted, finalizers stay on, and no reconciler is told that anything was deleted.
         *
         * @return completes when nothing of it is left here; a reconcile that is stuck is not waited for
         * @throws IllegalStateException when the operator works everywhere, or is stopping
         */
        CompletionStage<Void> removeNamespace(String namespace);

        /**
         * Takes no new work, waits for what is under way, interrupts it at the drain timeout. May be called again.
         *
         * @return {@link #ended}
         */
        CompletionStage<Boolean> stop();

        /**
         * Completes when the operator has stopped: whether everything under way had ended. Fails with the error of the VM that
         * stopped it.
         */
        CompletionStage<Boolean> ended();
    }

    /** What a flag of the operator's own does before the controllers start. */
    @Stable
    @FunctionalInterface
    public interface StartStep {
        /**
         * Does it.
         *
         * @throws Exception ends the start; the message is shown to the person who started the operator
         */
        void run(BlockingApiClient client) throws Exception;
    }

    /** A flag without value. */
    record Flag(String name, String text, StartStep step) {}

    private Operator(String name) {
        this.name = requireName("operator", name);
    }

    /**
     * An operator of that name, which is also the field manager of what it applies: keep it, or the fields change hands.
     *
     * @param name 1 to 128 letters, digits, {@code -}, {@code _} and {@code .}
     */
    public static Operator named(String name) {
        return new Operator(name);
    }

    /** Adds a controller that reconciles objects of a type. */
    public <R extends HasMetadata> Operator controller(Class<R> reconciled, Consumer<ControllerSpec<R>> description) {
        ControllerSpec<R> spec = new ControllerSpec<>(reconciled);
        description.accept(spec);
        spec.validate();
        requireUnused(spec.name());
        specs.add(spec);
        return this;
    }

    /**
     * Adds a controller of keys, see {@link KeyReconciler}.
     *
     * @param controllerName unique in this operator
     * @param key the type of the keys, for the compiler
     */
    public <K> Operator keyController(String controllerName, Class<K> key, Consumer<KeyControllerSpec<K>> description) {
        java.util.Objects.requireNonNull(key, "key");
        KeyControllerSpec<K> spec = new KeyControllerSpec<>(controllerName);
        description.accept(spec);
        spec.validate();
        requireUnused(spec.name());
        keySpecs.add(spec);
        return this;
    }

    private void requireUnused(String controllerName) {
        boolean used = specs.stream().anyMatch(spec -> spec.name().equals(controllerName))
                || keySpecs.stream().anyMatch(spec -> spec.name().equals(controllerName));
        if (used) {
            throw new IllegalArgumentException("Operator " + name + " has a controller named " + controllerName
                    + " already; give one of them another name with named(…)");
        }
    }

    /** Tells {@code observer} of every reconcile that ended. */
    public Operator observer(ReconcileObserver observer) {
        observers.add(observer);
        return this;
    }

    /** Reports figures to {@code library}; by default to nobody. Names and labels are those of controller-runtime and client-go. */
    public Operator metrics(Metrics library) {
        this.metrics = library;
        return this;
    }

    /** Works in one namespace only; by default, and with {@code ""}, in all. See {@link #namespaces}. */
    public Operator namespace(String only) {
        if (only.isEmpty()) {
            namespaces = Collections.emptySortedSet();
            return this;
        }
        return namespaces(List.of(only));
    }

    /**
     * Works in these namespaces only; by default in all. More come and some go while it runs: {@link
     * Running#addNamespace}. Setting {@code --namespaces}.
     *
     * <p>Each namespace has lists and watches of its own, so that rights in these namespaces are all it takes; one that is forbidden, or
     * not there, is said and holds up no other. What is cluster-scoped is cached and reconciled everywhere all the same, which takes
     * rights in the cluster: a controller of cluster-scoped objects, and one of keys, begins when its caches of all namespaces are filled.
     *
     * @throws IllegalArgumentException when one is no name of a namespace, and for none at all, since that could be meant either way
     */
    public Operator namespaces(Collection<String> only) {
        TreeSet<String> all = new TreeSet<>();
        only.forEach(each -> all.add(requireNamespace(each)));
        if (all.isEmpty()) {
            throw new IllegalArgumentException(
                    "No namespace is named for operator " + name + "; leave namespaces(…) out to work in all");
        }
        this.namespaces = Collections.unmodifiableSortedSet(all);
        return this;
    }

    /** How long a stop waits for what is under way before it interrupts it; by default 20 s. Setting {@code --drain-timeout}. */
    public Operator drainTimeout(Duration longest) {
        this.drainTimeout = requirePositive("drain timeout", longest);
        return this;
    }

    /**
     * Compares every cache with the server about this often, and mends it when something was lost on its way without a trace: see
     * {@link io.homeostat.informer.SharedInformers#auditEvery}. Off by default, since each look lists everything that is cached; an
     * hour is a good interval where it is wanted. Setting {@code --audit-caches-every}.
     */
    public Operator auditCachesEvery(Duration interval) {
        this.cacheAudit = requirePositive("interval of cache audits", interval);
        return this;
    }

    /**
     * How the cache of {@code type} keeps its objects, for all controllers: {@link StorePolicy#LAZY} unless this is called. {@link
     * StorePolicy#COMPACT} is for a type of which there are very many and few are looked into.
     */
    public Operator store(Class<? extends HasMetadata> type, StorePolicy policy) {
        stores.put(ResourceType.of(type), Objects.requireNonNull(policy, "policy"));
        return this;
    }

    /** How many objects a controller that says nothing else reconciles at a time; by default 10. Setting {@code --workers}. */
    public Operator workers(int number) {
        this.limits = new Dispatcher.Limits(requireWorkers(number), limits.deadline());
        return this;
    }

    /**
     * When a reconcile of a controller that says nothing else is interrupted; by default after 10 minutes. Setting
     * {@code --reconcile-deadline}.
     */
    public Operator deadline(Duration limit) {
        this.limits = new Dispatcher.Limits(limits.workers(), requirePositive("reconcile deadline", limit));
        return this;
    }

    /**
     * Where {@link #run} works when no {@code --kubeconfig} is given: a simulator, say. Without it, and without the flag, it works on
     * the cluster of {@code KUBECONFIG}, of {@code ~/.kube/config}, or of the pod it runs in.
     */
    public Operator defaultCluster(ClusterSource cluster) {
        this.defaultCluster = cluster;
        return this;
    }

    /**
     * Gives {@link #run} one more flag.
     *
     * @param flag without the dashes: {@code install-crd}
     * @param text one line for {@code --help}
     * @param step what it does before the controllers start
     */
    public Operator flag(String flag, String text, StartStep step) {
        if (Settings.knows(flag) || flags.containsKey(flag)) {
            throw new IllegalArgumentException("Operator " + name + " has a flag --" + flag + " already");
        }
        flags.put(flag, new Flag(flag, text, step));
        return this;
    }

    /**
     * Starts the controllers in the process of {@code runtime}, against the server behind {@code transport}. Both remain the
     * caller's to close, after {@link Running#ended}.
     */
    public Running start(EngineRuntime runtime, Transport transport) {
        if (specs.isEmpty() && keySpecs.isEmpty()) {
            throw new IllegalArgumentException("Operator " + name + " has no controller; add .controller(…)");
        }
        return new OperatorRun(this, runtime, transport);
    }

    /**
     * Runs until the process is asked to end: parses {@code args} ({@code --help} lists them), connects, starts, and on SIGTERM or
     * SIGINT stops as described above before the JVM exits with 143 or 130. The library never exits by itself.
     *
     * <p>Standard output gets the help text and nothing else; everything else is logged.
     *
     * @throws OperatorException a wrong flag or setting, a start that failed, or a VM error that ended the operator; its message is
     *     a sentence, {@link OperatorException#exitCode} what {@code main} should exit with
     */
    public void run(String... args) {
        ProcessShell.run(this, args);
    }

    String name() {
        return name;
    }

    Metrics metrics() {
        return metrics;
    }

    /** What this process is called in events: the pod, say. */
    void instance(String process) {
        this.instance = process;
    }

    String instance() {
        return instance.isEmpty() ? name : instance;
    }

    SortedSet<String> namespaces() {
        return namespaces;
    }

    Duration drainTimeout() {
        return drainTimeout;
    }

    Map<ResourceType<?>, StorePolicy> stores() {
        return stores;
    }

    /** Zero for never. */
    Duration cacheAudit() {
        return cacheAudit;
    }

    Dispatcher.Limits limits() {
        return limits;
    }

    List<ReconcileObserver> observers() {
        return List.copyOf(observers);
    }

    List<ControllerSpec<?>> specs() {
        return specs;
    }

    List<KeyControllerSpec<?>> keySpecs() {
        return keySpecs;
    }

    Map<String, Flag> flags() {
        return flags;
    }

    @Nullable
    ClusterSource defaultCluster() {
        return defaultCluster;
    }

    static String requireName(String of, String name) {
        if (!NAME.matcher(name).matches()) {
            throw new IllegalArgumentException("The " + of + " name \"" + name
                    + "\" must be 1 to 128 letters, digits, '-', '_' or '.', and begin and end with a letter or digit");
        }
        return name;
    }

    static String requireNamespace(String namespace) {
        if (!NAMESPACE.matcher(namespace).matches()) {
            throw new IllegalArgumentException("\"" + namespace
                    + "\" is no namespace: one is up to 63 lower-case letters, digits and '-' (RFC 1123 label)");
        }
        return namespace;
    }

    static int requireWorkers(int number) {
        if (number < 1) {
            throw new IllegalArgumentException(
                    "A controller with " + number + " workers would never work; give 1 or more");
        }
        return number;
    }

    static Duration requirePositive(String what, Duration duration) {
        if (duration.isNegative() || duration.isZero()) {
            throw new IllegalArgumentException("The " + what + " must be positive, found " + duration);
        }
        return duration;
    }
}

package io.homeostat.integrationtests;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.codeUnits;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.fields;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.methods;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noMethods;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.AccessTarget;
import com.tngtech.archunit.core.domain.JavaAccess;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaCodeUnit;
import com.tngtech.archunit.core.domain.JavaField;
import com.tngtech.archunit.core.domain.JavaMethod;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.lang.ArchCondition;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.lang.ConditionEvents;
import com.tngtech.archunit.lang.SimpleConditionEvent;
import io.homeostat.core.Experimental;
import io.homeostat.core.Spi;
import io.homeostat.core.Stable;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/**
 * The rules of the house, over the packages under one root, each with its reason. {@link ArchitectureTest} applies them to the
 * product, {@link ArchitectureRulesTest} to planted violations.
 */
final class Architecture {
    /** Rooms in the order of the data's path, with the rooms they may use. */
    private static final Map<String, Set<String>> ROOMS = new LinkedHashMap<>();

    static {
        ROOMS.put("core", Set.of());
        ROOMS.put("virtualruntime", Set.of("core"));
        ROOMS.put("workqueue", Set.of("core"));
        ROOMS.put("simulator", Set.of("core"));
        ROOMS.put("client", Set.of("core"));
        ROOMS.put("informer", Set.of("core", "client"));
        ROOMS.put("reconciler", Set.of("core", "workqueue", "client", "informer"));
        ROOMS.put(
                "testkit",
                Set.of("core", "virtualruntime", "workqueue", "simulator", "client", "informer", "reconciler"));
        ROOMS.put("examples", Set.of("core", "simulator", "client", "informer", "reconciler"));
    }

    /** What every room may use beside other rooms. */
    private static final List<String> EVERYWHERE =
            List.of("java..", "javax.net..", "org.slf4j..", "org.jspecify..", "com.google.errorprone.annotations..");

    /** What else a room may use from outside the project. */
    private static final Map<String, List<String>> LIBRARIES = Map.of(
            "simulator", List.of("tools.jackson..", "com.fasterxml.jackson..", "dev.cel..", "com.sun.net.httpserver.."),
            // The YAML parser is the one fabric8 reads kubeconfigs with.
            "client",
                    List.of(
                            "tools.jackson..",
                            "com.fasterxml.jackson..",
                            "io.fabric8..",
                            "org.snakeyaml.engine.v2.api..",
                            "org.snakeyaml.engine.v2.exceptions.."),
            "informer", List.of("io.fabric8.kubernetes.api.model.."),
            "reconciler", List.of("io.fabric8.kubernetes.api.model..", "sun.misc.."),
            "testkit",
                    List.of(
                            "tools.jackson..",
                            "com.fasterxml.jackson..",
                            "io.fabric8.kubernetes.api.model..",
                            "org.junit.."),
            "examples", List.of("io.fabric8.."));

    private static final String RUNTIME_ONLY =
            "threads, time and chance come from EngineRuntime alone, so that the whole engine"
                    + " runs in a virtual world with every interleaving chosen by a seed (architecture.md, section 3)";

    /** Where the engine meets the machine: may use threads, clocks and chance. Each with the reason. */
    static final Map<String, String> EDGES = edges();

    private static Map<String, String> edges() {
        Map<String, String> edges = new LinkedHashMap<>();
        edges.put("core.SystemRuntime", "is the source of real threads, time and chance");
        edges.put("core.SystemTask", "part of SystemRuntime: a task is a thread");
        edges.put("core.SerialLane", "part of SystemRuntime: lanes run on its threads");
        edges.put("core.LaneThreads", "part of SystemRuntime: gives lanes its threads");
        edges.put("core.Timers", "part of SystemRuntime: one thread waits for the next timer");
        edges.put("core.VirtualThreads", "part of SystemRuntime: finds Thread.ofVirtual by reflection");
        edges.put(
                "simulator.SimulatorServer", "the simulator over HTTP: sockets and the JDK's HttpServer bring threads");
        edges.put(
                "reconciler.ProcessShell",
                "Operator.run: signals, the shutdown hook and the main thread, outside of any runtime");
        return edges;
    }

    /** For {@code assert}, and for a switch over an enum that has grown. */
    private static final Set<String> MADE_BY_THE_COMPILER =
            Set.of("java.lang.AssertionError", "java.lang.IncompatibleClassChangeError", "java.lang.MatchException");

    /** The base class of users' types: a model, though it lives beside fabric8's client. */
    private static final String CUSTOM_RESOURCE = "io.fabric8.kubernetes.client.CustomResource";

    private static final Set<String> MARKERS = Set.of("Stable", "Experimental", "Spi");

    private static final Set<String> MUTABLE = Set.of(
            "java.util.HashMap",
            "java.util.TreeMap",
            "java.util.LinkedHashMap",
            "java.util.ArrayList",
            "java.util.ArrayDeque",
            "java.util.HashSet",
            "java.util.LinkedHashSet",
            "java.util.TreeSet");

    private final String root;

    /** The rules for packages under {@code root}. */
    Architecture(String root) {
        this.root = root;
    }

    /** All rules, by name. */
    Map<String, List<ArchRule>> rules() {
        Map<String, List<ArchRule>> rules = new LinkedHashMap<>();
        rules.put("rooms use only the rooms below them", roomsUseOnlyRoomsBelow());
        rules.put("rooms know only their own libraries", roomsKnowOnlyTheirLibraries());
        rules.put("no cycles, no sub-packages", List.of(noCycles(), flatPackages()));
        rules.put("fabric8's client classes stay in client", List.of(fabric8ClientOnlyInClient()));
        rules.put("no clocks", List.of(noClocks()));
        rules.put("no threads", List.of(noThreads()));
        rules.put("no blocking", List.of(noBlocking()));
        rules.put("no chance", List.of(noChance(), onlySeededChance()));
        rules.put("nothing that depends on the collector or on identity", List.of(noCollectorNoIdentity()));
        rules.put("no process-wide effects", List.of(noProcessWideEffects(), noMutableStatics()));
        rules.put("no synchronized methods", List.of(noSynchronizedMethods()));
        rules.put("exceptions say something", List.of(exceptionsHaveMessages()));
        rules.put("public types say how stable they are", List.of(publicTypesAreMarked()));
        rules.put("no Jackson in the public API", List.of(noJacksonInPublicApi()));
        rules.put("names say what a thing does", List.of(noEmptyNames()));
        rules.put("public methods are easy to call", List.of(noBooleanParameters(), fewParameters()));
        return rules;
    }

    private List<ArchRule> roomsUseOnlyRoomsBelow() {
        List<ArchRule> rules = new ArrayList<>();
        ROOMS.forEach((room, allowed) -> {
            String[] forbidden = ROOMS.keySet().stream()
                    .filter(other -> !other.equals(room) && !allowed.contains(other))
                    .map(other -> root + "." + other + "..")
                    .toArray(String[]::new);
            rules.add(noClasses()
                    .that()
                    .resideInAPackage(root + "." + room + "..")
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage(forbidden)
                    .because(room + " may use " + allowed
                            + " only: the folder list is the data's path, and rooms that must not know each other meet in"
                            + " reconciler (architecture.md, section 2)")
                    .allowEmptyShould(true));
        });
        return rules;
    }

    private List<ArchRule> roomsKnowOnlyTheirLibraries() {
        List<ArchRule> rules = new ArrayList<>();
        for (String room : ROOMS.keySet()) {
            String[] allowed = Stream.of(EVERYWHERE, LIBRARIES.getOrDefault(room, List.of()), List.of(root + ".."))
                    .flatMap(List::stream)
                    .toArray(String[]::new);
            rules.add(noClasses()
                    .that()
                    .resideInAPackage(root + "." + room + "..")
                    .should()
                    .dependOnClassesThat(describe(
                            "are of another library",
                            type -> !type.getBaseComponentType().isPrimitive()
                                    && !type.getName().equals(CUSTOM_RESOURCE)
                                    && Stream.of(allowed).noneMatch(allow -> resideInAPackage(allow)
                                            .test(type.getBaseComponentType()))))
                    .because(room + " may use " + List.of(allowed)
                            + ": users get every library that we use, and its defects (D18)")
                    .allowEmptyShould(true));
        }
        return rules;
    }

    private ArchRule noCycles() {
        return slices().matching(root + ".(*)..").should().beFreeOfCycles().allowEmptyShould(true);
    }

    private ArchRule flatPackages() {
        return classes()
                .that()
                .resideOutsideOfPackage(root + ".examples..")
                .should()
                .resideInAPackage(root + ".*")
                .because(
                        "a room is one flat package: package-private does what internal, impl and util packages are for")
                .allowEmptyShould(true);
    }

    private ArchRule fabric8ClientOnlyInClient() {
        return noClasses()
                .that()
                .resideInAPackage(root + "..")
                .and()
                .resideOutsideOfPackage(root + ".client..")
                .should()
                .dependOnClassesThat(describe(
                        "are fabric8's client classes",
                        type -> type.getPackageName().startsWith("io.fabric8.kubernetes.client")
                                && !type.getName().equals(CUSTOM_RESOURCE)))
                .because("requests go through our Transport with its write hooks, never beside it (D28);"
                        + " CustomResource is the base class of users' types, a model")
                .allowEmptyShould(true);
    }

    private ArchRule noClocks() {
        return noEngineCode()
                .should()
                .accessTargetWhere(calls("System", "currentTimeMillis", "nanoTime")
                        .or(calls("java.time.Instant", "now"))
                        .or(calls("java.time.LocalDateTime", "now"))
                        .or(calls("java.time.LocalDate", "now"))
                        .or(calls("java.time.OffsetDateTime", "now"))
                        .or(calls("java.time.ZonedDateTime", "now"))
                        .or(anythingOf("java.time.Clock", "java.util.Date")))
                .because("use EngineRuntime.nanos(), or wallClock() for timestamps that people read: " + RUNTIME_ONLY)
                .allowEmptyShould(true);
    }

    private ArchRule noThreads() {
        return noEngineCode()
                .should()
                .accessTargetWhere(anythingOf(
                        "java.lang.Thread",
                        "java.lang.ThreadLocal",
                        "java.util.Timer",
                        "java.util.concurrent.Executors",
                        "java.util.concurrent.ExecutorService",
                        "java.util.concurrent.ScheduledExecutorService",
                        "java.util.concurrent.ForkJoinPool",
                        "java.util.concurrent.ForkJoinTask",
                        "java.util.concurrent.CompletionService"))
                .because("use EngineRuntime.lane, userLane, dedicatedLane, start and after: " + RUNTIME_ONLY)
                .allowEmptyShould(true);
    }

    private ArchRule noBlocking() {
        return noEngineCode()
                .should()
                .accessTargetWhere(anythingOf(
                                "java.util.concurrent.BlockingQueue",
                                "java.util.concurrent.Semaphore",
                                "java.util.concurrent.CountDownLatch",
                                "java.util.concurrent.CyclicBarrier",
                                "java.util.concurrent.Phaser",
                                "java.util.concurrent.Exchanger",
                                "java.util.concurrent.locks.LockSupport")
                        .or(calls("java.util.concurrent.Future", "get"))
                        .or(calls("java.util.concurrent.CompletableFuture", "join", "orTimeout", "completeOnTimeout"))
                        .or(calls("java.util.concurrent.CompletableFuture", "delayedExecutor"))
                        .or(async())
                        .or(calls("java.util.concurrent.locks.Condition", "await", "awaitNanos", "awaitUntil"))
                        .or(calls("java.lang.Object", "wait", "notify", "notifyAll")))
                .because("the engine never waits, and user code waits by EngineRuntime.await: " + RUNTIME_ONLY)
                .allowEmptyShould(true);
    }

    private ArchRule noChance() {
        return noEngineCode()
                .should()
                .accessTargetWhere(anythingOf(
                                "java.util.Random",
                                "java.util.SplittableRandom",
                                "java.util.concurrent.ThreadLocalRandom",
                                "java.util.random.RandomGeneratorFactory")
                        .or(calls("java.lang.Math", "random"))
                        .or(calls("java.util.random.RandomGenerator", "of", "getDefault"))
                        .or(calls("java.util.UUID", "randomUUID"))
                        .or(calls("java.util.Collections", "shuffle")))
                .because("use EngineRuntime.random(name): " + RUNTIME_ONLY)
                .allowEmptyShould(true);
    }

    private ArchRule onlySeededChance() {
        return noClasses()
                .that()
                .resideInAPackage(root + ".virtualruntime..")
                .should()
                .accessTargetWhere(anythingOf(
                                "java.util.Random",
                                "java.util.concurrent.ThreadLocalRandom",
                                "java.util.random.RandomGeneratorFactory")
                        .or(calls("java.lang.Math", "random"))
                        .or(calls("java.util.UUID", "randomUUID"))
                        .or(describe(
                                "new SplittableRandom()",
                                access -> access.getTargetOwner().isEquivalentTo(java.util.SplittableRandom.class)
                                        && access.getTarget() instanceof AccessTarget.ConstructorCallTarget made
                                        && made.getRawParameterTypes().isEmpty())))
                .because("the same seed must give the same world, byte for byte")
                .allowEmptyShould(true);
    }

    private ArchRule noCollectorNoIdentity() {
        return noEngineCode()
                .should()
                .accessTargetWhere(anythingOf(
                                "java.lang.ref.Reference",
                                "java.lang.ref.Cleaner",
                                "java.util.WeakHashMap",
                                "java.util.IdentityHashMap")
                        .or(calls("System", "identityHashCode"))
                        .or(calls("java.util.Set", "copyOf"))
                        .or(calls("java.util.Map", "copyOf", "ofEntries"))
                        .or(calls("java.util.stream.Collectors", "toUnmodifiableSet", "toUnmodifiableMap")))
                .because(
                        "what the collector does, and the order of Set.copyOf and Map.copyOf (salted per JVM), would make two"
                                + " runs of one seed differ; wrap a LinkedHashMap or LinkedHashSet instead")
                .allowEmptyShould(true);
    }

    private ArchRule noProcessWideEffects() {
        return noClasses()
                .that(engine())
                .should()
                .accessTargetWhere(calls("System", "exit", "setOut", "setErr", "setProperty")
                        .or(calls("java.lang.Runtime", "exit", "halt"))
                        .or(field("System", "out", "err", "in"))
                        .or(calls("java.lang.Throwable", "printStackTrace")))
                .because("a library never ends or talks over its host's process: throw, or log through slf4j (D2)")
                .allowEmptyShould(true);
    }

    private ArchRule noMutableStatics() {
        return fields().that()
                .areStatic()
                .and()
                .areDeclaredInClassesThat(engine())
                .should(new ArchCondition<>("be final and hold nothing that changes") {
                    @Override
                    public void check(JavaField field, ConditionEvents events) {
                        boolean synthetic = field.getModifiers().contains(JavaModifier.SYNTHETIC);
                        String type = field.getRawType().getName();
                        boolean mutable = !field.getModifiers().contains(JavaModifier.FINAL)
                                || (type.startsWith("java.util.concurrent.")
                                        && !type.endsWith("TimeUnit")
                                        && !type.endsWith("FieldUpdater"))
                                || MUTABLE.contains(type);
                        if (mutable && !synthetic) {
                            events.add(
                                    SimpleConditionEvent.violated(field, field.getDescription() + " is mutable state"));
                        }
                    }
                })
                .because("two operators in one JVM must not see each other, nor a virtual process its earlier life")
                .allowEmptyShould(true);
    }

    private ArchRule noSynchronizedMethods() {
        return methods()
                .that()
                .areDeclaredInClassesThat(engine())
                .should()
                .notHaveModifier(JavaModifier.SYNCHRONIZED)
                .because(
                        "a monitor pins virtual threads before JDK 24 and cannot be seen by GuardedBy on a private lock: use a"
                                + " ReentrantLock for a short leaf section")
                .allowEmptyShould(true);
    }

    private ArchRule exceptionsHaveMessages() {
        return noClasses()
                .that()
                .resideInAPackage(root + "..")
                .should()
                .callConstructorWhere(describe(
                        "an exception is made without a message",
                        call -> call.getTargetOwner().isAssignableTo(Throwable.class)
                                && call.getTarget().getRawParameterTypes().isEmpty()
                                && call.getTargetOwner().getName().startsWith("java.")
                                && !MADE_BY_THE_COMPILER.contains(
                                        call.getTargetOwner().getName())))
                .because("a message says what was tried, on which object, what was found, and what to do")
                .allowEmptyShould(true);
    }

    private ArchRule publicTypesAreMarked() {
        return classes()
                .that()
                .resideInAPackage(root + "..")
                .and()
                .resideOutsideOfPackage(root + ".examples..")
                .and()
                .arePublic()
                .and()
                .areTopLevelClasses()
                .and(describe("are not the markers themselves", type -> !MARKERS.contains(type.getSimpleName())))
                .should()
                .beAnnotatedWith(Stable.class)
                .orShould()
                .beAnnotatedWith(Experimental.class)
                .orShould()
                .beAnnotatedWith(Spi.class)
                .because("users must know what may change under them (D15); what they do not need is package-private")
                .allowEmptyShould(true);
    }

    private ArchRule noJacksonInPublicApi() {
        return codeUnits()
                .that()
                .areDeclaredInClassesThat()
                .resideInAPackage(root + "..")
                .and()
                .arePublic()
                .should(new ArchCondition<>("not show Jackson") {
                    @Override
                    public void check(JavaCodeUnit unit, ConditionEvents events) {
                        if (!isVisible(unit.getOwner())) {
                            return;
                        }
                        Stream.concat(unit.getRawParameterTypes().stream(), Stream.of(unit.getRawReturnType()))
                                .filter(type -> type.getName().contains("jackson"))
                                .forEach(type -> events.add(SimpleConditionEvent.violated(
                                        unit, unit.getDescription() + " shows " + type.getName())));
                    }
                })
                .because("the JSON library must be replaceable without a major version")
                .allowEmptyShould(true);
    }

    private ArchRule noEmptyNames() {
        return noClasses()
                .that()
                .resideInAPackage(root + "..")
                .should()
                .haveNameMatching(".*[.$]((Abstract|Default)[A-Z]\\w*|\\w+(Impl|Manager|Helper|Helpers|Util|Utils))")
                .because("a name says what the thing does; these words say that nobody knew")
                .allowEmptyShould(true);
    }

    private ArchRule noBooleanParameters() {
        return noMethods()
                .that(areCalledByUsers())
                .should(new ArchCondition<>("take a boolean") {
                    @Override
                    public void check(JavaMethod method, ConditionEvents events) {
                        boolean takes = method.getRawParameterTypes().stream()
                                .anyMatch(type -> type.isEquivalentTo(boolean.class));
                        events.add(
                                new SimpleConditionEvent(method, takes, method.getDescription() + " takes a boolean"));
                    }
                })
                .because("nobody can read call(true): use two methods or an enum")
                .allowEmptyShould(true);
    }

    private ArchRule fewParameters() {
        return noMethods()
                .that(areCalledByUsers())
                .should(new ArchCondition<>("take more than 5 parameters") {
                    @Override
                    public void check(JavaMethod method, ConditionEvents events) {
                        boolean many = method.getRawParameterTypes().size() > 5;
                        events.add(
                                new SimpleConditionEvent(method, many, method.getDescription() + " takes more than 5"));
                    }
                })
                .because("a record says what belongs together")
                .allowEmptyShould(true);
    }

    private DescribedPredicate<JavaMethod> areCalledByUsers() {
        return describe(
                "are public methods of public types",
                method -> method.getOwner().getPackageName().startsWith(root)
                        && method.getModifiers().contains(JavaModifier.PUBLIC)
                        && !method.getModifiers().contains(JavaModifier.SYNTHETIC)
                        && isVisible(method.getOwner())
                        && !method.getOwner().isRecord());
    }

    private static boolean isVisible(JavaClass type) {
        return type.getModifiers().contains(JavaModifier.PUBLIC)
                && type.getEnclosingClass().map(Architecture::isVisible).orElse(true);
    }

    private com.tngtech.archunit.lang.syntax.elements.GivenClassesConjunction noEngineCode() {
        return noClasses().that(engine());
    }

    /** Engine rooms, but the named edges and what is nested in them. */
    private DescribedPredicate<JavaClass> engine() {
        List<String> rooms = List.of("core", "workqueue", "client", "informer", "reconciler", "simulator");
        return describe("are engine code", type -> {
            String name = type.getName().split("\\$", 2)[0];
            return rooms.stream().anyMatch(room -> type.getPackageName().equals(root + "." + room))
                    && EDGES.keySet().stream().noneMatch(edge -> name.equals(root + "." + edge));
        });
    }

    private static DescribedPredicate<JavaAccess<?>> calls(String type, String... names) {
        String full = type.contains(".") ? type : "java.lang." + type;
        return describe(full + "." + String.join("/", names), access -> {
            AccessTarget target = access.getTarget();
            return !(target instanceof AccessTarget.FieldAccessTarget)
                    && Set.of(names).contains(target.getName())
                    && target.getOwner().isAssignableTo(full);
        });
    }

    private static DescribedPredicate<JavaAccess<?>> field(String type, String... names) {
        return describe(
                "java.lang." + type + "." + String.join("/", names),
                access -> access.getTarget() instanceof AccessTarget.FieldAccessTarget target
                        && Set.of(names).contains(target.getName())
                        && target.getOwner().getName().equals("java.lang." + type));
    }

    private static DescribedPredicate<JavaAccess<?>> async() {
        return describe(
                "CompletionStage.*Async",
                access -> access.getTarget().getName().endsWith("Async")
                        && access.getTargetOwner().isAssignableTo("java.util.concurrent.CompletionStage"));
    }

    private static DescribedPredicate<JavaAccess<?>> anythingOf(String... types) {
        return describe("anything of " + List.of(types), access -> Stream.of(types)
                .anyMatch(type -> access.getTargetOwner().isAssignableTo(type)));
    }
}

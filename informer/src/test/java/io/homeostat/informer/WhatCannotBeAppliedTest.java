package io.homeostat.informer;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import io.homeostat.client.Streams;
import io.homeostat.client.WatchFrame;
import io.homeostat.core.EngineRuntime;
import io.homeostat.core.Lane;
import io.homeostat.core.SystemRuntime;
import io.homeostat.simulator.Simulator;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A defect of the engine, or an error of the VM, in the middle of what a server said. On real threads: in a virtual world it ends the
 * seed.
 */
@Timeout(60)
class WhatCannotBeAppliedTest {
    private final List<Throwable> fatal = new CopyOnWriteArrayList<>();
    private final SystemRuntime runtime =
            SystemRuntime.builder().named("test").onFatal(fatal::add).build();
    private final Simulator simulator = Simulator.on(runtime).withoutWorkloads().build();
    private final ApiClient plain =
            ApiClient.over(runtime, simulator.transport(runtime), ApiClient.Settings.of("test"));
    /** Thrown in place of the UID of the next object that a watch brings. */
    private final AtomicReference<Throwable> planted = new AtomicReference<>();
    /** Thrown where a handler is to be told of an object, at these of its calls. */
    private final AtomicReference<Throwable> untellable = new AtomicReference<>();

    /** Thrown where a stream is closed, or a timer asked for, when the engine means to list anew. */
    private final AtomicReference<Throwable> unlistable = new AtomicReference<>();
    /** Thrown where the store is about to take a frame. */
    private final AtomicReference<Throwable> untakable = new AtomicReference<>();

    private final Set<Integer> calls = new ConcurrentSkipListSet<>();
    private final AtomicInteger called = new AtomicInteger();

    @AfterEach
    void end() {
        runtime.close();
    }

    /** The client, with watches that bring objects which cannot be applied. */
    private ApiClient client() {
        return proxy(ApiClient.class, plain, (method, arguments) -> {
            if (method.getName().equals("watch")) {
                Streams.WatchListener listener = (Streams.WatchListener) arguments[3];
                arguments[3] = proxy(Streams.WatchListener.class, listener, (told, what) -> {
                    if (told.getName().equals("frames")) {
                        @SuppressWarnings("unchecked")
                        List<WatchFrame> frames = (List<WatchFrame>) what[0];
                        what[0] = frames.stream().map(this::mined).toList();
                    }
                });
            }
        });
    }

    /** The runtime, which has no memory for a timer when the engine means to list anew. */
    private EngineRuntime runtimeWithoutTimers() {
        return proxy(EngineRuntime.class, runtime, (method, arguments) -> {
            if (method.getName().equals("after") && isIn(Informer.class, "lost")) {
                fail(unlistable);
            }
        });
    }

    /** The client, with streams that cannot be closed when the engine means to list anew. */
    private ApiClient clientOfStreamsThatStay() {
        ApiClient behind = client();
        return (ApiClient) Proxy.newProxyInstance(
                ApiClient.class.getClassLoader(), new Class<?>[] {ApiClient.class}, (self, method, arguments) -> {
                    if (isOfWholeObjects(method)) {
                        return self;
                    }
                    Object answer = invoke(method, behind, arguments);
                    return answer instanceof Streams.Handle handle ? staying(handle) : answer;
                });
    }

    private Streams.Handle staying(Streams.Handle handle) {
        return proxy(Streams.Handle.class, handle, (method, arguments) -> {
            if (method.getName().equals("close") && isIn(Informer.class, "lost")) {
                fail(unlistable);
            }
        });
    }

    private static void fail(AtomicReference<Throwable> with) throws Throwable {
        Throwable now = with.getAndSet(null);
        if (now != null) {
            throw now;
        }
    }

    private WatchFrame mined(WatchFrame frame) {
        if (!(frame instanceof WatchFrame.Event event)
                || (planted.get() == null && untellable.get() == null && untakable.get() == null)) {
            return frame;
        }
        return new WatchFrame.Event(event.kind(), proxy(RawObject.class, event.object(), (method, arguments) -> {
            if (method.getName().equals("bytes") && isIn(Informer.class, "events")) {
                fail(untakable);
            }
            Throwable now = method.getName().equals("uid") ? planted.getAndSet(null) : null;
            if (now != null) {
                throw now;
            }
            Throwable untold = method.getName().equals("key") ? untellable.get() : null;
            if (untold != null && isOffered() && calls.remove(called.incrementAndGet())) {
                throw untold;
            }
        }));
    }

    private static boolean isOffered() {
        return isIn(HandlerLane.class, "offer");
    }

    private static boolean isIn(Class<?> type, String method) {
        return StackWalker.getInstance()
                .walk(frames -> frames.anyMatch(frame -> frame.getClassName().equals(type.getName())
                        && frame.getMethodName().equals(method)));
    }

    private interface Before {
        void call(Method method, Object[] arguments) throws Throwable;
    }

    private static <T> T proxy(Class<T> type, T behind, Before before) {
        return type.cast(
                Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (self, method, arguments) -> {
                    before.call(method, arguments);
                    return isOfWholeObjects(method) ? self : invoke(method, behind, arguments);
                }));
    }

    /** Whether the client is asked for one that leaves out parts of objects: here none. */
    private static boolean isOfWholeObjects(Method method) {
        return method.getName().equals("without");
    }

    private static Object invoke(Method method, Object on, Object[] arguments) throws Throwable {
        try {
            return method.invoke(on, arguments);
        } catch (InvocationTargetException thrown) {
            throw thrown.getCause();
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void itIsListedAnewAndNothingIsMissed(boolean ofTheVm) {
        put("a");
        SharedInformers informers = SharedInformers.over(runtime, client());
        SharedInformer<ConfigMap> informer = informers.informer(TestObject.TYPE, "default");
        Fold fold = new Fold();
        Set<String> told = fold.told;
        informer.addHandler("fold", fold);
        until(() -> informer.state().phase() == InformerState.Phase.WATCHING && told.contains("a"));
        Throwable defect = ofTheVm ? new OutOfMemoryError("planted") : new IllegalStateException("planted");
        planted.set(defect);
        put("b");
        delete("a");
        put("c");
        until(() -> informer.state().phase() == InformerState.Phase.WATCHING
                && told.equals(Set.of("b", "c"))
                && informer.lister().list().size() == 2);
        assertThat(planted).hasValue(null);
        assertThat(informer.state().relists()).isEqualTo(2);
        if (ofTheVm) {
            assertThat(fatal).containsExactly(defect);
        } else {
            assertThat(fatal).isEmpty();
        }
        informers.close();
    }

    @ParameterizedTest
    @ValueSource(strings = {"timer", "close"})
    void itIsListedAnewAlsoWhereThereIsNoMemoryForThat(String lacking) {
        put("a");
        EngineRuntime without = lacking.equals("timer") ? runtimeWithoutTimers() : runtime;
        SharedInformers informers =
                SharedInformers.over(without, lacking.equals("close") ? clientOfStreamsThatStay() : client());
        SharedInformer<ConfigMap> informer = informers.informer(TestObject.TYPE, "default");
        Fold fold = new Fold();
        informer.addHandler("fold", fold);
        until(() -> informer.state().phase() == InformerState.Phase.WATCHING && fold.told.contains("a"));
        OutOfMemoryError noMemory = new OutOfMemoryError("planted");
        unlistable.set(noMemory);
        planted.set(noMemory);
        put("b");
        until(() -> planted.get() == null && unlistable.get() == null);
        put("c"); // without a timer it is what comes next that leads on
        until(() -> informer.state().phase() == InformerState.Phase.WATCHING
                && informer.state().relists() == 2
                && fold.told.equals(Set.of("a", "b", "c"))
                && informer.lister().list().size() == 3);
        assertThat(fatal).isNotEmpty().allMatch(error -> error == noMemory);
        informers.close();
    }

    @Test
    void framesForWhichThereWasNoMemoryAreNotPassedOver() {
        put("a");
        SharedInformers informers = SharedInformers.over(runtime, client());
        SharedInformer<ConfigMap> informer = informers.informer(TestObject.TYPE, "default");
        Fold fold = new Fold();
        informer.addHandler("fold", fold);
        until(() -> informer.state().phase() == InformerState.Phase.WATCHING && fold.told.contains("a"));
        untakable.set(new OutOfMemoryError("planted"));
        put("b");
        until(() -> untakable.get() == null);
        put("c");
        until(() -> fold.told.equals(Set.of("a", "b", "c")));
        assertThat(informer.lister().list()).hasSize(3);
        assertThat(fatal).hasSize(1);
        informers.close();
    }

    /** What a handler was told. */
    private static final class Fold implements ResourceEventHandler<ConfigMap> {
        final Set<String> told = new ConcurrentSkipListSet<>();
        final List<String> steps = new CopyOnWriteArrayList<>();

        @Override
        public void onAdd(CachedObject<ConfigMap> object, Phase phase, Merged<ConfigMap> merged) {
            steps.add("add " + object.key().name());
            told.add(object.key().name());
        }

        @Override
        public void onUpdate(CachedObject<ConfigMap> before, CachedObject<ConfigMap> after, Merged<ConfigMap> merged) {
            steps.add("update " + after.key().name());
            told.add(after.key().name());
        }

        @Override
        public void onDelete(CachedObject<ConfigMap> lastKnown, Merged<ConfigMap> merged) {
            steps.add("delete " + lastKnown.key().name());
            told.remove(lastKnown.key().name());
        }
    }

    @Test
    void whatReadersSeeAndHandlersCouldNotBeToldForAnErrorOfTheVmIsToldOnceWhenItCanBe() {
        put("a");
        SharedInformers informers = SharedInformers.over(runtime, client());
        SharedInformer<ConfigMap> informer = informers.informer(TestObject.TYPE, "default");
        Fold one = new Fold();
        Fold other = new Fold();
        informer.addHandler("one", one);
        informer.addHandler("other", other);
        until(() -> informer.state().phase() == InformerState.Phase.WATCHING
                && one.told.contains("a")
                && other.told.contains("a"));
        OutOfMemoryError noMemory = new OutOfMemoryError("planted");
        calls.addAll(List.of(1, 3, 5, 6, 8, 11));
        untellable.set(noMemory);
        put("b");
        delete("a");
        put("c");
        for (Fold fold : List.of(one, other)) {
            until(() -> informer.state().phase() == InformerState.Phase.WATCHING
                    && fold.told.equals(Set.of("b", "c"))
                    && informer.lister().list().size() == 2);
            assertThat(fold.steps).containsExactlyInAnyOrder("add a", "add b", "delete a", "add c");
        }
        assertThat(fatal).isNotEmpty().allMatch(error -> error == noMemory);
        assertThat(calls.size()).isLessThan(6);
        informers.close();
    }

    @Test
    void aHandlerThatCannotBeToldHarmsNoOtherAndIsToldWhatComesLater() {
        put("a");
        SharedInformers informers = SharedInformers.over(runtime, client());
        SharedInformer<ConfigMap> informer = informers.informer(TestObject.TYPE, "default");
        Fold one = new Fold();
        Fold other = new Fold();
        informer.addHandler("one", one);
        informer.addHandler("other", other);
        until(() -> informer.state().phase() == InformerState.Phase.WATCHING && other.told.contains("a"));
        calls.add(1);
        untellable.set(new IllegalStateException("planted"));
        put("b");
        until(() -> other.told.contains("b") && informer.state().relists() == 2);
        assertThat(one.told).containsExactly("a");
        untellable.set(null);
        put("c");
        until(() -> one.told.contains("c") && other.told.equals(Set.of("a", "b", "c")));
        assertThat(fatal).isEmpty();
        informers.close();
    }

    @Test
    void aHandlerThatComesLateIsShownAllThereIsAlsoWhereAnErrorOfTheVmBrokeThatOff() {
        untellable.set(new OutOfMemoryError("planted"));
        SharedInformers informers = SharedInformers.over(runtime, client());
        SharedInformer<ConfigMap> informer = informers.informer(TestObject.TYPE, "default");
        Fold early = new Fold(); // readers see this process's own writes before the watch brings them
        informer.addHandler("early", early);
        until(() -> informer.state().phase() == InformerState.Phase.WATCHING);
        List.of("a", "b", "c").forEach(this::put);
        until(() -> early.told.size() == 3);
        calls.addAll(List.of(called.get() + 2, called.get() + 4));
        Fold late = new Fold();
        wait(informer.addHandler("late", late).synced());
        assertThat(late.steps).containsExactlyInAnyOrder("add a", "add b", "add c");
        assertThat(calls).isEmpty();
        informers.close();
    }

    @Test
    void aNamespaceThatLeavesIsToldToTheEndAlsoWhereAnErrorOfTheVmBrokeThatOff() {
        untellable.set(new OutOfMemoryError("planted"));
        SharedInformers informers = SharedInformers.over(runtime, client());
        NamespacedInformer<ConfigMap> informer = informers.informer(TestObject.TYPE, Set.of("default"), "");
        Fold fold = new Fold();
        informer.addHandler("fold", fold);
        until(() -> informer.state().phase() == InformerState.Phase.WATCHING);
        List.of("a", "b", "c").forEach(this::put);
        until(() -> fold.told.size() == 3);
        calls.addAll(List.of(called.get() + 2, called.get() + 4));
        wait(informer.remove("default"));
        until(() -> fold.told.isEmpty());
        assertThat(fold.steps).filteredOn(step -> step.startsWith("delete")).hasSize(3);
        assertThat(calls).isEmpty();
        informers.close();
    }

    private <T> T wait(CompletionStage<T> answer) {
        return runtime.await(answer, Duration.ofSeconds(20));
    }

    private void put(String name) {
        wait(plain.create(
                TestObject.TYPE,
                new ObjectKey("default", name),
                ("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"" + name + "\"}}")
                        .getBytes(StandardCharsets.UTF_8)));
    }

    private void delete(String name) {
        wait(plain.delete(TestObject.TYPE, new ObjectKey("default", name), ApiClient.Delete.ANY));
    }

    private void until(BooleanSupplier condition) {
        CompletableFuture<Void> met = new CompletableFuture<>();
        Lane lane = runtime.lane("until");
        lane.execute(new Runnable() {
            @Override
            public void run() {
                if (condition.getAsBoolean()) {
                    met.complete(null);
                } else {
                    runtime.after(Duration.ofMillis(10), lane, this);
                }
            }
        });
        wait(met);
    }
}

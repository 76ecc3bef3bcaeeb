package io.homeostat.informer;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.homeostat.client.RawObject;
import io.homeostat.virtualruntime.SeedFailed;
import io.homeostat.virtualruntime.VirtualProcess;
import io.homeostat.virtualruntime.VirtualWorld;
import java.io.IOException;
import java.lang.ref.WeakReference;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.BooleanSupplier;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Handlers that come late, leave early, throw, block, and leave something behind if we let them (D7). */
class HandlerChurnTest {
    private final VirtualWorld world = VirtualWorld.seeded(13);
    private final VirtualProcess process = world.process("operator");
    private final FakeServer server = new FakeServer(world);
    private final SharedInformers informers = SharedInformers.over(process, server.client());

    @AfterEach
    void end() {
        world.close();
    }

    private SharedInformer<ConfigMap> synced() {
        SharedInformer<ConfigMap> informer = informers.informer(TestObject.TYPE, "");
        within(
                Duration.ofSeconds(5),
                () -> informer.state().phase() == InformerState.Phase.WATCHING
                        && informer.state().synced());
        return informer;
    }

    private void within(Duration limit, BooleanSupplier condition) {
        world.runUntil(condition, limit);
    }

    private void later(Duration duration) {
        world.runFor(duration);
    }

    private static boolean done(SharedInformer.HandlerRegistration registration) {
        CompletableFuture<Void> synced = registration.synced().toCompletableFuture();
        return synced.isDone() && !synced.isCompletedExceptionally();
    }

    /** Not one the JVM itself knows, as ThreadDeath was. */
    private static final class SomeError extends Error {
        private static final long serialVersionUID = 1;
    }

    @SuppressWarnings("unchecked") // the way a handler written in another language throws what is checked in this one
    private static <E extends Throwable> void sneak(Throwable thrown) throws E {
        throw (E) thrown;
    }

    @Test
    void throwablesOfAnyKindEndTheirStepAndNothingElse_SI20_X10() {
        List<Throwable> all = List.of(
                new IllegalStateException("from a handler"),
                new IOException("from a handler"),
                new StackOverflowError("from a handler"),
                new NoClassDefFoundError("from a handler"),
                new AssertionError("from a handler"),
                new SomeError(),
                new InterruptedException("from a handler"));
        SharedInformer<ConfigMap> informer = synced();
        for (int i = 0; i < all.size(); i++) {
            server.put("x" + i);
        }
        within(Duration.ofSeconds(1), () -> informer.snapshot().size() == all.size());
        int[] calls = {0};
        Recording throwing = new Recording() {
            @Override
            void before() {
                HandlerChurnTest.<RuntimeException>sneak(all.get(calls[0]++ % all.size()));
            }
        };
        Recording good = new Recording();
        SharedInformer.HandlerRegistration thrower = informer.addHandler("throwing", throwing);
        informer.addHandler("good", good);
        later(Duration.ofSeconds(1));
        assertThat(done(thrower)).as("synced, though every step threw").isTrue();
        server.put("x0");
        server.remove("x1");
        later(Duration.ofSeconds(1));
        assertThat(throwing.steps).hasSize(all.size() + 2).isEqualTo(good.steps);
        assertThat(throwing.told()).isEqualTo(good.told());
    }

    @Test
    void aHandlerMayCloseItselfAddAnotherAndCloseTheInformerFromWithin_SI17_SI23() {
        server.put("a");
        SharedInformer<ConfigMap> informer = synced();
        List<SharedInformer.HandlerRegistration> handles = new ArrayList<>();
        Recording second = new Recording();
        Recording first = new Recording() {
            @Override
            void before() {
                handles.get(0).close();
                handles.add(informer.addHandler("second", second));
            }
        };
        handles.add(informer.addHandler("first", first));
        server.put("b");
        later(Duration.ofSeconds(1));
        assertThat(first.steps).hasSize(1);
        assertThat(second.steps).containsExactly("add a:uid-1@101 initially", "add b:uid-2@102");
        Recording last = new Recording() {
            @Override
            void before() {
                informers.close();
            }
        };
        informer.addHandler("last", last);
        later(Duration.ofSeconds(1));
        assertThat(last.steps).as("a call on its way may still come").hasSizeBetween(1, 2);
        assertThat(informer.state().phase()).isEqualTo(InformerState.Phase.STOPPED);
    }

    @Test
    void closeReturnsWhileACallRunsAndThatCallIsTheLast_SI21() {
        server.put("a");
        SharedInformer<ConfigMap> informer = synced();
        CompletableFuture<Void> gate = new CompletableFuture<>();
        Recording blocked = new Recording() {
            @Override
            void before() {
                process.await(gate, Duration.ofHours(1));
            }
        };
        SharedInformer.HandlerRegistration handle = informer.addHandler("blocked", blocked);
        server.put("b");
        later(Duration.ofSeconds(1));
        handle.close();
        handle.close();
        gate.complete(null);
        server.put("c");
        later(Duration.ofSeconds(1));
        assertThat(blocked.steps).hasSize(1);
        assertThat(handle.synced().toCompletableFuture()).isCompletedExceptionally();
    }

    @Test
    void oneHandlerMayBeAddedTwiceAndEachIsARegistrationOfItsOwn_SI11_SI12() {
        server.put("a");
        SharedInformer<ConfigMap> informer = synced();
        List<String> steps = new ArrayList<>();
        ResourceEventHandler<ConfigMap> handler = new ResourceEventHandler<>() {
            @Override
            public void onAdd(CachedObject<ConfigMap> object, Phase phase, Merged<ConfigMap> merged) {
                steps.add("add " + object.key());
            }

            @Override
            public void onUpdate(
                    CachedObject<ConfigMap> before, CachedObject<ConfigMap> after, Merged<ConfigMap> merged) {
                steps.add("update " + after.key());
            }

            @Override
            public void onDelete(CachedObject<ConfigMap> lastKnown, Merged<ConfigMap> merged) {
                steps.add("delete " + lastKnown.key());
            }
        };
        SharedInformer.HandlerRegistration one = informer.addHandler("one", handler);
        SharedInformer.HandlerRegistration two = informer.addHandler("two", handler);
        later(Duration.ofSeconds(1));
        assertThat(steps).containsExactly("add ns/a", "add ns/a");
        one.close();
        one.close();
        server.put("a");
        later(Duration.ofSeconds(1));
        assertThat(steps).containsExactly("add ns/a", "add ns/a", "update ns/a");
        informer.close();
        two.close(); // of a stopped informer: no harm (SI16)
        later(Duration.ofSeconds(1));
    }

    @Test
    void aClosedHandlerFreesWhatItHeldAlsoWhenItsRegistrationIsKept() {
        SharedInformer<ConfigMap> informer = synced();
        CompletableFuture<Void> gate = new CompletableFuture<>();
        List<WeakReference<?>> held = new ArrayList<>();
        SharedInformer.HandlerRegistration kept = leave(informer, gate, held);
        gate.complete(null);
        later(Duration.ofSeconds(1));
        assertThat(held).hasSize(2);
        for (int i = 0; i < 50 && held.stream().anyMatch(one -> one.get() != null); i++) {
            System.gc();
        }
        assertThat(held).as("the handler, and a version that waited for it").allMatch(one -> one.get() == null);
        kept.close();
    }

    private SharedInformer.HandlerRegistration leave(
            SharedInformer<ConfigMap> informer, CompletableFuture<Void> gate, List<WeakReference<?>> held) {
        Recording slow = new Recording() {
            @Override
            void before() {
                process.await(gate, Duration.ofHours(1));
            }
        };
        SharedInformer.HandlerRegistration registration = informer.addHandler("slow", slow);
        server.put("a");
        later(Duration.ofSeconds(1));
        // A version nobody else has: it waits for the handler only.
        held.add(new WeakReference<>(between(informer)));
        held.add(new WeakReference<>(slow));
        server.put("b");
        server.forget();
        later(Duration.ofSeconds(1));
        registration.close();
        return registration;
    }

    private @Nullable Object between(SharedInformer<ConfigMap> informer) {
        server.put("b");
        later(Duration.ofSeconds(1));
        return informer.snapshot().list().get(1).raw();
    }

    @Test
    void handlersThatComeAndGoDuringEventsAndRelistsFoldToTheCache_SI13_SI18() {
        for (long seed = 0; seed < 60; seed++) {
            try (VirtualWorld churned = VirtualWorld.seeded(seed)) {
                churn(churned);
            } catch (SeedFailed | WatchProperties.Violated failed) {
                throw new AssertionError("seed " + seed + ": " + failed.getMessage(), failed);
            }
        }
    }

    private static void churn(VirtualWorld churned) {
        RandomGenerator random = churned.random("churn");
        FakeServer busy = new FakeServer(churned);
        VirtualProcess home = churned.process("operator");
        SharedInformer<ConfigMap> informer =
                SharedInformers.over(home, busy.client()).informer(TestObject.TYPE, "");
        WatchProperties properties = new WatchProperties(busy.truth(), raw -> true);
        churned.invariant(() -> properties.observe(informer));
        List<Runnable> closes = new ArrayList<>();
        for (int i = 0; i < 300; i++) {
            int number = i;
            churned.after(Duration.ofMillis(random.nextInt(20_000)), () -> {
                switch (random.nextInt(8)) {
                    case 0, 1, 2 -> busy.put("k" + random.nextInt(8));
                    case 3 -> busy.remove("k" + random.nextInt(8));
                    case 4 -> {
                        if (random.nextInt(8) == 0) {
                            busy.expire();
                        } else {
                            busy.cut();
                        }
                    }
                    case 5, 6 -> {
                        int slowness = random.nextInt(3) == 0 ? 500 : 1;
                        ResourceEventHandler<ConfigMap> handler = properties.listening(new Recording() {
                            @Override
                            void before() {
                                home.sleep(Duration.ofMillis(random.nextInt(slowness)));
                                if (random.nextInt(10) == 0) {
                                    throw new SomeError();
                                }
                            }
                        });
                        SharedInformer.HandlerRegistration registration =
                                informer.addHandler("handler-" + number, handler);
                        properties.registered(handler, registration);
                        closes.add(() -> {
                            registration.close();
                            properties.closed(handler);
                        });
                    }
                    default -> {
                        if (closes.size() > 2) {
                            closes.remove(random.nextInt(closes.size())).run();
                        }
                    }
                }
            });
        }
        churned.runFor(Duration.ofSeconds(20));
        churned.runUntil(
                () -> informer.snapshot().list().stream()
                        .map(CachedObject::raw)
                        .toList()
                        .equals(new ArrayList<RawObject>(busy.objects.values())),
                Duration.ofMinutes(5));
        churned.runFor(Duration.ofSeconds(30));
        properties.settled();
    }
}

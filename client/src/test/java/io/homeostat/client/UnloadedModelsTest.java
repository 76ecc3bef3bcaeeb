package io.homeostat.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.api.model.Pod;
import io.homeostat.virtualruntime.VirtualProcess;
import io.homeostat.virtualruntime.VirtualWorld;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.ref.WeakReference;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** Where the library outlives those who use it, their model classes must be able to go: an application server, a reloading class loader. */
class UnloadedModelsTest {
    /** An application's class loader, below the library's: it has the model of its own. */
    private static final class Application extends ClassLoader {
        Application() {
            super(UnloadedModelsTest.class.getClassLoader());
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            if (!name.startsWith(ApplicationModel.class.getName())) {
                return super.loadClass(name, resolve);
            }
            Class<?> loaded = findLoadedClass(name);
            if (loaded != null) {
                return loaded;
            }
            try (InputStream in = getResourceAsStream(name.replace('.', '/') + ".class")) {
                byte[] bytes = in.readAllBytes();
                return defineClass(name, bytes, 0, bytes.length);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        Class<?> its(Class<?> same) {
            try {
                return loadClass(same.getName());
            } catch (ClassNotFoundException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    private static final String JSON =
            """
            {"apiVersion":"example.com/v1","kind":"Part","metadata":{"name":"a","namespace":"default","uid":"u",\
            "resourceVersion":"1"},"spec":{"corners":5}}""";

    /** What an application does with a client, and then both end. */
    private static WeakReference<ClassLoader> aClientReadsAndWritesItsModel() throws Exception {
        Application application = new Application();
        try (VirtualWorld world = VirtualWorld.seeded(1)) {
            VirtualProcess process = world.process("operator");
            ScriptedServer server = new ScriptedServer(process, peer -> peer.answer(200, JSON));
            ApiClient client = ApiClient.over(process, server, ApiClient.Settings.of("test/1"));
            @SuppressWarnings("unchecked") // Part is one
            ResourceType<? extends HasMetadata> type =
                    ResourceType.of((Class<? extends HasMetadata>) application.its(ApplicationModel.Part.class));
            CompletableFuture<RawObject> got =
                    client.get(type, new ObjectKey("default", "a")).toCompletableFuture();
            world.runUntil(got::isDone, Duration.ofMinutes(1));

            HasMetadata part = got.join().decode(type);

            assertThat(part.getClass().getClassLoader()).isSameAs(application);
            assertThat(new String(client.encode(part), StandardCharsets.UTF_8)).contains("\"corners\":5");
        }
        return new WeakReference<>(application);
    }

    /** Of classes of its own it puts one into a model that is everybody's. */
    private static WeakReference<ClassLoader> anObjectHoldsOneOfItsClasses() throws Exception {
        Application application = new Application();
        GenericKubernetesResource part = new GenericKubernetesResource();
        part.setApiVersion("example.com/v1");
        part.setKind("Part");
        part.setMetadata(new ObjectMetaBuilder().withName("a").build());
        part.setAdditionalProperty(
                "spec",
                application.its(ApplicationModel.Shape.class).getConstructor().newInstance());

        assertThat(new String(WireFormat.json().encode(part), StandardCharsets.UTF_8))
                .contains("\"corners\":3");

        return new WeakReference<>(application);
    }

    private static void isUnloaded(WeakReference<ClassLoader> application) {
        for (int i = 0; i < 50 && application.get() != null; i++) {
            System.gc();
        }
        assertThat(application.get()).as("the application's class loader").isNull();
    }

    @Test
    void modelClassesGoWithTheClientThatReadAndWroteThem() throws Exception {
        isUnloaded(aClientReadsAndWritesItsModel());
    }

    @Test
    void classInsideAModelOfTheLibraryIsNotKept() throws Exception {
        isUnloaded(anObjectHoldsOneOfItsClasses());
    }

    @Test
    void classesThatStayAsLongAsTheLibraryAreLearntOnceForAllClients() throws Exception {
        JsonWireFormat one = new JsonWireFormat();
        JsonWireFormat other = new JsonWireFormat();

        assertThat(one.codec(Pod.class)).isSameAs(other.codec(Pod.class));
        assertThat(one.codec(ApplicationModel.Part.class)).isSameAs(other.codec(Pod.class));

        Class<?> foreign = new Application().its(ApplicationModel.Part.class);
        assertThat(one.codec(foreign)).isNotSameAs(other.codec(foreign)).isSameAs(one.codec(Pod.class));
    }
}

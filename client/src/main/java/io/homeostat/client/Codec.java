package io.homeostat.client;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import io.fabric8.kubernetes.model.jackson.Jackson2JdkTypesModule;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.exc.StreamConstraintsException;
import tools.jackson.core.exc.StreamReadException;
import tools.jackson.databind.AnnotationIntrospector;
import tools.jackson.databind.DatabindException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.ObjectReader;
import tools.jackson.databind.ObjectWriter;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.cfg.MapperConfig;
import tools.jackson.databind.exc.MismatchedInputException;
import tools.jackson.databind.introspect.Annotated;
import tools.jackson.databind.introspect.AnnotationIntrospectorPair;
import tools.jackson.databind.introspect.JacksonAnnotationIntrospector;
import tools.jackson.databind.introspect.NopAnnotationIntrospector;
import tools.jackson.databind.json.JsonMapper;

/**
 * Objects from JSON and back, by fabric8's own mapper settings, so that an object here is what fabric8 would have made of it.
 *
 * <p>Unknown fields never fail a decode. Model classes of fabric8 keep them ({@code additionalProperties}); a class of a user's own keeps
 * what it has a place for, and the rest is in {@link RawObject#bytes} only: what writes back must send differences (D34). What is nested
 * deeper than 500 levels, and names of more than 50,000 and numbers of more than 1,000 characters, are beyond Jackson's limits.
 *
 * <p><b>Threads.</b> Any. <b>Memory.</b> What Jackson finds out about each class it meets, which keeps that class: a reader, a writer and
 * types. It costs far more than an object of the class, so classes that cannot go before this one (of its own class loader, or a parent) are
 * known once for all clients ({@link #shared}); others, such as those of an application above a shared library, to the codec of their
 * client only, and go with it. <b>Failure.</b> {@link ApiException.Undecodable} without a cause: Jackson's texts quote values.
 */
final class Codec {
    /*
     * Invariants
     * - What is in SHARED has met no class that could be unloaded before this one, but for the call that has just met it.
     */
    private static final Codec SHARED = new Codec();

    private static final int LONGEST_PATH = 300;

    private volatile Learnt learnt = new Learnt(); // volatile: any thread lets it go

    /** Jackson's, and all that it keeps. */
    private static final class Learnt {
        final AtomicBoolean metForeign = new AtomicBoolean();
        final ObjectMapper mapper = new Fabric8(new Classes(metForeign)).mapper();
        // Map.of iterates in another order in every JVM: equal objects must be equal bytes, and a seed the same trace.
        final ObjectWriter writer = mapper.writer().with(SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS);
        final ConcurrentHashMap<Class<?>, ObjectReader> readers = new ConcurrentHashMap<>();
    }

    /** One that shares nothing. */
    Codec() {}

    /** For objects of classes that are {@link #home}. Whoever used it asks {@link #keepsOnlyHome} afterwards. */
    static Codec shared() {
        return SHARED;
    }

    /** Whether a class lives as long as this one: of the same class loader or of one above it. */
    static boolean home(Class<?> met) {
        ClassLoader loader = met.getClassLoader();
        for (ClassLoader each = Codec.class.getClassLoader(); each != null; each = each.getParent()) {
            if (each == loader) {
                return true;
            }
        }
        return loader == null;
    }

    /**
     * False when an object held one of another class, as a {@code GenericKubernetesResource} may: then all is forgotten that was learnt,
     * and that class with it.
     */
    boolean keepsOnlyHome() {
        if (!learnt.metForeign.get()) {
            return true;
        }
        learnt = new Learnt();
        return false;
    }

    /** Is asked by Jackson for the annotations of each class it meets, has none to give, and notes classes that are not home. */
    private static final class Classes extends NopAnnotationIntrospector {
        private static final long serialVersionUID = 1;

        private final AtomicBoolean metForeign;

        Classes(AtomicBoolean metForeign) {
            this.metForeign = metForeign;
        }

        @Override
        public @Nullable Object findSerializer(MapperConfig<?> config, Annotated annotated) {
            return note(annotated);
        }

        @Override
        public @Nullable Object findDeserializer(MapperConfig<?> config, Annotated annotated) {
            return note(annotated);
        }

        private @Nullable Object note(Annotated annotated) {
            if (!home(annotated.getRawType())) {
                metForeign.set(true);
            }
            return null;
        }
    }

    /** Gives access to the mapper that fabric8 configures. */
    private static final class Fabric8 extends KubernetesSerialization {
        // Set by the superclass constructor through configureMapper, before this class's own would run.
        @Nullable
        private ObjectMapper configured;

        Fabric8(AnnotationIntrospector classes) {
            super(
                    JsonMapper.builderWithJackson2Defaults()
                            .annotationIntrospector(
                                    new AnnotationIntrospectorPair(classes, new JacksonAnnotationIntrospector()))
                            .addModule(new Jackson2JdkTypesModule())
                            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
                            .build(),
                    true);
        }

        @Override
        protected ObjectMapper configureMapper(ObjectMapper mapper) {
            ObjectMapper made = super.configureMapper(mapper);
            configured = made;
            return made;
        }

        ObjectMapper mapper() {
            return Objects.requireNonNull(configured, "fabric8 did not configure its mapper");
        }
    }

    byte[] encode(HasMetadata object) {
        return learnt.writer.writeValueAsBytes(object);
    }

    <T extends HasMetadata> T decode(ResourceType<T> type, byte[] json, ObjectKey key, String resourceVersion) {
        T object;
        try {
            Learnt known = learnt;
            object = known.readers
                    .computeIfAbsent(type.objectClass(), known.mapper::readerFor)
                    .readValue(json);
        } catch (RuntimeException e) {
            // Not only Jackson's: a deserializer or setter of the user's class may throw anything.
            throw undecodable(type, key, resourceVersion, describe(e));
        } catch (StackOverflowError e) {
            // Jackson follows 500 levels and no more; a user's own deserializer or setter may go on for ever.
            throw undecodable(type, key, resourceVersion, "it took more stack than the thread has");
        }
        if (object == null) {
            throw undecodable(type, key, resourceVersion, "found null");
        }
        return object;
    }

    private static ApiException.Undecodable undecodable(
            ResourceType<?> type, ObjectKey key, String resourceVersion, String found) {
        return new ApiException.Undecodable(
                "decode " + type + " " + key,
                ApiException.Answer.none("version " + (resourceVersion.isEmpty() ? "unknown" : resourceVersion)
                        + " does not decode into " + type.objectClass().getName() + ": " + found),
                null);
    }

    /** Where and of what sort, in words that hold no value of the document. */
    private static String describe(RuntimeException e) {
        if (e instanceof StreamReadException broken) {
            return "broken JSON at byte " + broken.getLocation().getByteOffset();
        }
        if (e instanceof StreamConstraintsException beyond) {
            // A depth or a length and its limit, and nothing of the document.
            return "beyond what the decoder takes: " + beyond.getOriginalMessage();
        }
        String path = path(e);
        if (e instanceof MismatchedInputException mismatch && mismatch.getTargetType() != null) {
            return "at " + path + ": not what a " + mismatch.getTargetType().getSimpleName() + " can be made of";
        }
        Throwable cause = e.getCause();
        return "at " + path + ": " + (cause == null ? e : cause).getClass().getSimpleName();
    }

    private static String path(RuntimeException e) {
        List<JacksonException.Reference> references =
                e instanceof DatabindException located ? located.getPath() : List.of();
        StringBuilder path = new StringBuilder();
        for (JacksonException.Reference reference : references) {
            if (reference.getPropertyName() == null) {
                path.append('[').append(reference.getIndex()).append(']');
            } else {
                path.append(path.length() == 0 ? "" : ".").append(reference.getPropertyName());
            }
        }
        if (path.length() > LONGEST_PATH) {
            path.setLength(LONGEST_PATH);
            path.append('…');
        }
        return path.length() == 0 ? "the top" : path.toString();
    }
}

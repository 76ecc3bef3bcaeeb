package io.homeostat.client;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import io.fabric8.kubernetes.model.jackson.Jackson2JdkTypesModule;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.exc.StreamReadException;
import tools.jackson.databind.DatabindException;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.ObjectReader;
import tools.jackson.databind.ObjectWriter;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.exc.MismatchedInputException;
import tools.jackson.databind.json.JsonMapper;

/**
 * Objects from JSON and back, by fabric8's own mapper settings, so that an object here is what fabric8 would have made of it.
 *
 * <p>Unknown fields never fail a decode. Model classes of fabric8 keep them ({@code additionalProperties}); a class of a user's own keeps
 * what it has a place for, and the rest is in {@link RawObject#bytes} only: what writes back must send differences (D34).
 *
 * <p><b>Threads.</b> Any. <b>Memory.</b> One reader for each class decoded, for all clients of the JVM. <b>Failure.</b> {@link ApiException.Undecodable} without a
 * cause: Jackson's texts quote values.
 */
final class Codec {
    /** One for all clients: what Jackson finds out about a class costs far more than an object of it. */
    static final Codec SHARED = new Codec();

    private static final int LONGEST_PATH = 300;

    private final ObjectMapper mapper = new Fabric8().mapper();
    // Map.of iterates in another order in every JVM: equal objects must be equal bytes, and a seed the same trace.
    private final ObjectWriter writer = mapper.writer().with(SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS);
    private final ConcurrentHashMap<Class<?>, ObjectReader> readers = new ConcurrentHashMap<>();

    private Codec() {}

    /** Gives access to the mapper that fabric8 configures. */
    private static final class Fabric8 extends KubernetesSerialization {
        // Set by the superclass constructor through configureMapper, before this class's own would run.
        @Nullable
        private ObjectMapper configured;

        Fabric8() {
            super(
                    JsonMapper.builderWithJackson2Defaults()
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
        return writer.writeValueAsBytes(object);
    }

    <T extends HasMetadata> T decode(ResourceType<T> type, byte[] json, ObjectKey key, String resourceVersion) {
        T object;
        try {
            object = readers.computeIfAbsent(type.objectClass(), mapper::readerFor)
                    .readValue(json);
        } catch (RuntimeException e) {
            // Not only Jackson's: a deserializer or setter of the user's class may throw anything.
            throw undecodable(type, key, resourceVersion, describe(e));
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

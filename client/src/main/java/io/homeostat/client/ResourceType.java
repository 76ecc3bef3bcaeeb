package io.homeostat.client;

import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Namespaced;
import io.fabric8.kubernetes.api.model.PartialObjectMetadata;
import io.homeostat.core.Stable;

/**
 * Which resource of the API, and the Java class its objects are decoded into.
 *
 * <p>Two types are equal when group, version, plural and class are; {@link #sameResource} ignores the class.
 *
 * @param group the API group, {@code ""} for core
 * @param version the API version, {@code v1}
 * @param plural the plural as it stands in paths, {@code deployments}
 * @param kind the kind, {@code Deployment}
 * @param scope whether objects live in namespaces
 * @param objectClass the class objects are decoded into; {@link GenericKubernetesResource} for dynamic access
 */
@Stable
public record ResourceType<T extends HasMetadata>(
        String group, String version, String plural, String kind, Scope scope, Class<T> objectClass) {

    /** Where objects of a type live. */
    public enum Scope {
        /** In a namespace. */
        NAMESPACED,
        /** In none. */
        CLUSTER
    }

    /**
     * The type of a model class, read from its annotations ({@code @Group}, {@code @Version}, {@code @Plural}, {@code @Kind});
     * namespaced if it implements {@link Namespaced}.
     *
     * @throws IllegalArgumentException when the class carries no group and version
     */
    public static <T extends HasMetadata> ResourceType<T> of(Class<T> objectClass) {
        String version = HasMetadata.getVersion(objectClass);
        if (version == null) {
            throw new IllegalArgumentException("Cannot tell the resource of " + objectClass.getName()
                    + ": it has no @Version; annotate it with @Group and @Version");
        }
        String group = HasMetadata.getGroup(objectClass);
        return new ResourceType<>(
                group == null ? "" : group,
                version,
                HasMetadata.getPlural(objectClass),
                HasMetadata.getKind(objectClass),
                Namespaced.class.isAssignableFrom(objectClass) ? Scope.NAMESPACED : Scope.CLUSTER,
                objectClass);
    }

    /** A resource known by name only; its objects are {@link GenericKubernetesResource}. */
    public static ResourceType<GenericKubernetesResource> dynamic(
            String group, String version, String plural, String kind, Scope scope) {
        return new ResourceType<>(group, version, plural, kind, scope, GenericKubernetesResource.class);
    }

    /**
     * The same resource, of which only metadata is read: the server is asked for it alone, and sends no more
     * ({@code PartialObjectMetadata}). Kind and apiVersion of what is decoded are those of the resource.
     */
    public ResourceType<PartialObjectMetadata> metadataOnly() {
        return new ResourceType<>(group, version, plural, kind, scope, PartialObjectMetadata.class);
    }

    /** Whether this is of {@link #metadataOnly}. */
    public boolean isMetadataOnly() {
        return objectClass == PartialObjectMetadata.class;
    }

    /** {@code group/version}, or {@code version} for the core group. */
    public String apiVersion() {
        return group.isEmpty() ? version : group + "/" + version;
    }

    /** Whether both name the same resource in the same version, whatever the class. */
    public boolean sameResource(ResourceType<?> other) {
        return group.equals(other.group) && version.equals(other.version) && plural.equals(other.plural);
    }

    /** {@code deployments.apps/v1}, {@code pods/v1}: for messages. */
    @Override
    public String toString() {
        return (group.isEmpty() ? plural : plural + "." + group) + "/" + version;
    }
}

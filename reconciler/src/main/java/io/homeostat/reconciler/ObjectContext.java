package io.homeostat.reconciler;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.OwnerReference;
import io.fabric8.kubernetes.api.model.OwnerReferenceBuilder;
import io.fabric8.kubernetes.client.CustomResource;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ApiException;
import io.homeostat.client.BlockingApiClient;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import io.homeostat.client.RequestBodies;
import io.homeostat.client.ResourceType;
import io.homeostat.core.DeadlineExceededException;
import io.homeostat.core.InterruptedWaitException;
import io.homeostat.informer.CachedObject;
import io.homeostat.workqueue.Cause;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.ParameterizedType;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.slf4j.Logger;

/** The {@link Context} of one reconcile. */
final class ObjectContext<R extends HasMetadata> implements Context<R> {
    private final Attempt<ObjectKey> attempt;
    private final Sources sources;
    private final Children.Writer writer;
    private final ResourceType<R> type;
    private final RawObject primary;
    private final Children children;

    ObjectContext(
            Attempt<ObjectKey> attempt,
            Sources sources,
            Children.Writer writer,
            ResourceType<R> type,
            RawObject primary,
            Children children) {
        this.attempt = attempt;
        this.sources = sources;
        this.writer = writer.requiring(this::live);
        this.type = type;
        this.primary = primary;
        this.children = children;
    }

    @Override
    public <X extends HasMetadata> X apply(X desired) {
        attempt.requireRunning();
        Source<X> source = sources.owned(desired);
        ResourceType<X> child = source.type();
        ObjectKey key = childKey(child, desired);
        Children.Applied<X> applied =
                children.apply(writer, child, key, desired, source.snapshot().get(key), owner());
        switch (applied.effect()) {
            case SKIPPED -> {}
            case UNCHANGED -> attempt.wrote(child.kind() + "/" + key.name() + " unchanged");
            case CHANGED -> attempt.wrote(child.kind() + "/" + key.name());
        }
        return applied.object();
    }

    private ObjectKey childKey(ResourceType<?> child, HasMetadata desired) {
        String name =
                desired.getMetadata() == null ? null : desired.getMetadata().getName();
        if (name == null || name.isEmpty()) {
            throw new IllegalArgumentException("The " + child.kind() + " to apply for " + key()
                    + " has no metadata.name; an apply needs one, generateName is not enough");
        }
        String asked = desired.getMetadata().getNamespace();
        if (child.scope() == ResourceType.Scope.CLUSTER) {
            if (!key().namespace().isEmpty()) {
                throw new IllegalArgumentException(
                        child.kind() + " " + name + " is cluster-scoped and cannot be owned by " + type.kind() + " "
                                + key() + ", which is in a namespace; write it with client() and no owner");
            }
            return ObjectKey.clusterScoped(name);
        }
        String home = key().namespace();
        if (asked == null || asked.isEmpty()) {
            if (home.isEmpty()) {
                throw new IllegalArgumentException(
                        "The " + child.kind() + " " + name + " to apply for the cluster-scoped " + type.kind() + " "
                                + key() + " names no namespace; set metadata.namespace");
            }
            return new ObjectKey(home, name);
        }
        if (!home.isEmpty() && !home.equals(asked)) {
            throw new IllegalArgumentException(child.kind() + " " + asked + "/" + name + " cannot be owned by "
                    + type.kind()
                    + " " + key() + ", which is in another namespace (owner references do not cross namespaces);"
                    + " write it with client() and no owner");
        }
        return new ObjectKey(asked, name);
    }

    private OwnerReference owner() {
        return new OwnerReferenceBuilder()
                .withApiVersion(type.apiVersion())
                .withKind(type.kind())
                .withName(key().name())
                .withUid(primary.uid())
                .withController(true)
                .withBlockOwnerDeletion(true)
                .build();
    }

    @Override
    public void delete(HasMetadata object) {
        attempt.requireRunning();
        ResourceType<?> target = sources.typeOf(object);
        String name = object.getMetadata().getName();
        String namespace = object.getMetadata().getNamespace();
        if (namespace == null || namespace.isEmpty()) {
            namespace = target.scope() == ResourceType.Scope.CLUSTER ? "" : key().namespace();
        }
        String uid = object.getMetadata().getUid();
        ObjectKey targetKey = new ObjectKey(namespace, name);
        try {
            writer.await(() -> writer.client()
                    .delete(target, targetKey, uid == null ? ApiClient.Delete.ANY : ApiClient.Delete.of(uid)));
            attempt.wrote("delete " + target.kind() + "/" + name);
        } catch (ApiException.NotFound gone) {
            if (!gone.misses(name)) {
                throw gone; // its type is not served just now, which says nothing about the object
            }
            attempt.logger().debug("{} {} to delete is gone already", target.kind(), targetKey);
        }
    }

    @Override
    public <S> void updateStatus(Consumer<S> change) {
        attempt.requireRunning();
        CachedObject<R> newest = sources.primary(type).snapshot().get(key()).orElse(null);
        if (newest == null || !newest.raw().uid().equals(primary.uid())) {
            throw new CacheNotReady(type.kind() + " " + key() + " is gone; its status was not written");
        }
        RawObject base = newest.raw();
        if (children.isStatusInDoubt()) {
            base = live();
            children.statusLookedUp();
        }
        R before = base.decode(type);
        R after = base.decode(type);
        changed(change, statusOf(after));
        byte[] patch = RequestBodies.statusPatch(
                writer.client().encode(before), writer.client().encode(after), base.resourceVersion());
        if (patch == null) {
            return;
        }
        try {
            writer.await(() -> writer.client().patch(type, key(), "status", ApiClient.PatchKind.MERGE, patch));
        } catch (ApiException.NotFound missing) {
            throw whyNotFound(missing);
        } catch (ApiException.OutcomeUnknown | InterruptedWaitException | DeadlineExceededException unknown) {
            children.doubtStatus();
            throw unknown;
        }
        attempt.wrote("status");
    }

    /** A status that is not found: the object is gone and the cache does not know it yet, or there is no such subresource. */
    private RuntimeException whyNotFound(ApiException.NotFound missing) {
        live();
        return new IllegalStateException(
                missing.getMessage() + "; the object is there, so its CRD lacks \"subresources: {status: {}}\"",
                missing);
    }

    /** The primary as the server has it; a cache that is behind must not make us work for the dead. */
    private RawObject live() {
        RawObject live;
        try {
            live = writer.await(() -> writer.client().get(type, key()));
        } catch (ApiException.NotFound gone) {
            throw gone.misses(key().name()) ? gone() : gone;
        }
        if (!live.uid().equals(primary.uid())) {
            throw gone();
        }
        return live;
    }

    private CacheNotReady gone() {
        children.primaryIsGone();
        return new CacheNotReady(
                type.kind() + " " + key() + " is gone, which its cache does not know yet; nothing was written");
    }

    @SuppressWarnings("unchecked") // S is the caller's word; that it is true is checked by the cast inside the lambda
    private <S> void changed(Consumer<S> change, Object status) {
        try {
            change.accept((S) status);
        } catch (ClassCastException wrong) {
            throw new IllegalArgumentException(
                    "updateStatus of " + type.kind() + " " + key() + ": the change did not take a "
                            + status.getClass().getName() + ", which the status is; name that type in the lambda",
                    wrong);
        }
    }

    /** The status of {@code resource}, put there when there is none. */
    private static Object statusOf(HasMetadata resource) {
        Class<?> type = resource.getClass();
        try {
            Method getter = type.getMethod("getStatus");
            Object status = getter.invoke(resource);
            if (status != null) {
                return status;
            }
            Class<?> statusType = statusType(type, getter);
            Object empty = statusType.getConstructor().newInstance();
            for (Method setter : type.getMethods()) {
                if (setter.getName().equals("setStatus")
                        && setter.getParameterCount() == 1
                        && setter.getParameterTypes()[0].isInstance(empty)) {
                    setter.invoke(resource, empty);
                    return empty;
                }
            }
            throw new NoSuchMethodException("setStatus(" + statusType.getName() + ")");
        } catch (NoSuchMethodException | IllegalAccessException | InstantiationException wrong) {
            throw new IllegalArgumentException(
                    "updateStatus needs a public getStatus() and setStatus() of " + type.getName()
                            + ", and a public constructor without arguments of its status class; missing: "
                            + wrong.getMessage(),
                    wrong);
        } catch (InvocationTargetException thrown) {
            throw new IllegalArgumentException(
                    "updateStatus: an accessor or the constructor of the status of " + type.getName() + " threw: "
                            + Texts.of(thrown.getTargetException()),
                    thrown.getTargetException());
        }
    }

    private static Class<?> statusType(Class<?> type, Method getter) throws NoSuchMethodException {
        Class<?> below = type;
        while (below != null && below.getSuperclass() != CustomResource.class) {
            below = below.getSuperclass();
        }
        if (below == null) {
            return getter.getReturnType();
        }
        if (below.getGenericSuperclass() instanceof ParameterizedType declared
                && declared.getActualTypeArguments()[1] instanceof Class<?> status) {
            return status;
        }
        throw new NoSuchMethodException("a class as the second type argument of CustomResource in " + below.getName());
    }

    @Override
    public <X extends HasMetadata> List<X> owned(Class<X> owned) {
        attempt.requireRunning();
        return sources.source(owned).snapshot().ownedBy(primary.uid()).stream()
                .map(CachedObject::object)
                .toList();
    }

    @Override
    public <X extends HasMetadata> Optional<X> find(Class<X> wanted, String name) {
        attempt.requireRunning();
        Source<X> source = sources.source(wanted);
        String namespace = source.type().scope() == ResourceType.Scope.CLUSTER ? "" : key().namespace();
        return find(wanted, new ObjectKey(namespace, name));
    }

    @Override
    public <X extends HasMetadata> Optional<X> find(Class<X> wanted, ObjectKey key) {
        attempt.requireRunning();
        return sources.source(wanted).snapshot().get(key).map(CachedObject::object);
    }

    @Override
    public ObjectKey key() {
        return attempt.key();
    }

    @Override
    public List<Cause> causes() {
        return attempt.work().causes();
    }

    @Override
    public int attempt() {
        return attempt.work().attempt();
    }

    @Override
    public Duration deadline() {
        return attempt.remaining();
    }

    @Override
    public Instant now() {
        return writer.runtime().wallClock();
    }

    @Override
    public BlockingApiClient client() {
        attempt.requireRunning();
        return writer.client().blocking();
    }

    @Override
    public Logger logger() {
        return attempt.logger();
    }

    @Override
    public String toString() {
        return "Context of " + type.kind() + " " + key();
    }
}

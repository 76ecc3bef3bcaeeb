package io.homeostat.reconciler;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.OwnerReference;
import io.fabric8.kubernetes.api.model.OwnerReferenceBuilder;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ApiException;
import io.homeostat.client.BlockingApiClient;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.Query;
import io.homeostat.client.RawObject;
import io.homeostat.client.ResourceType;
import io.homeostat.informer.CachedObject;
import io.homeostat.workqueue.Cause;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
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
    private final PrimaryStatus<R> status;
    private final Refusals refusals;
    private final Events events;
    private final LiveReads live = new Live();
    private final List<String> refused = new CopyOnWriteArrayList<>(); // by whatever thread the reconciler uses

    ObjectContext(
            Attempt<ObjectKey> attempt,
            Sources sources,
            Children.Writer writer,
            ResourceType<R> type,
            RawObject primary,
            Children children,
            Surroundings surroundings) {
        this.attempt = attempt;
        this.sources = sources;
        this.status = new PrimaryStatus<>(attempt, sources, writer, type, primary, children);
        this.writer = writer.requiring(status::live);
        this.type = type;
        this.primary = primary;
        this.children = children;
        this.refusals = surroundings.refusals;
        this.events = surroundings.events.about(EventRecorder.Subject.of(type, primary));
    }

    /** What the reconciles of a controller share with its handlers and its operator. */
    record Surroundings(Refusals refusals, EventRecorder events) {}

    @Override
    public <X extends HasMetadata> X apply(X desired) {
        attempt.requireRunning();
        Source<X> source = sources.owned(desired);
        ResourceType<X> child = source.type();
        ObjectKey key = childKey(child, desired);
        refusals.note(child, key, key()); // before it is looked at: no change may fall in between
        Children.Applied<X> applied;
        try {
            applied = children.apply(writer, child, key, desired, source.get(key), owner());
        } catch (ForeignObject foreign) {
            refusals.note(child, key, key()); // a change that came meanwhile has taken it
            refused.add(String.valueOf(foreign.getMessage()));
            events.record(
                    Events.Type.WARNING, PrimaryStatus.REASON, "Apply", String.valueOf(foreign.getMessage()), desired);
            throw foreign;
        } catch (ApiException.NotFound missing) {
            refusals.drop(child, key, key());
            if (key.namespace().equals(key().namespace()) && missing.misses(key.namespace())) {
                throw new CacheNotReady("Namespace " + key.namespace() + " is gone, and " + type.kind() + " "
                        + key().name() + " with it, which its cache does not know yet; nothing was written");
            }
            throw missing;
        } catch (Throwable failed) {
            refusals.drop(child, key, key());
            throw failed;
        }
        refusals.drop(child, key, key());
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
        String name = object.getMetadata() == null ? null : object.getMetadata().getName();
        if (name == null || name.isEmpty()) {
            throw new IllegalArgumentException("The " + target.kind() + " to delete for " + key()
                    + " has no metadata.name; name it, or pass one as read");
        }
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
        status.change(change);
    }

    /** Says in the object's conditions what was refused, or takes back what was said. When the reconciler has ended. */
    void tellRefused() {
        status.tellRefused(refused);
    }

    boolean wasRefused() {
        return !refused.isEmpty();
    }

    /** What is remembered of the object's children. */
    Children children() {
        return children;
    }

    @Override
    public Events events() {
        attempt.requireRunning();
        return events;
    }

    @Override
    public LiveReads live() {
        attempt.requireRunning();
        return live;
    }

    @Override
    public <X extends HasMetadata> List<X> owned(Class<X> owned) {
        attempt.requireRunning();
        return sources.source(owned).ownedBy(key().namespace(), primary.uid()).stream()
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
        return sources.source(wanted).get(key).map(CachedObject::object);
    }

    /** Reads past the caches. */
    private final class Live implements LiveReads {
        @Override
        public <X extends HasMetadata> Optional<X> find(Class<X> wanted, String name) {
            ResourceType<X> read = ResourceType.of(wanted);
            String namespace = read.scope() == ResourceType.Scope.CLUSTER ? "" : key().namespace();
            return find(wanted, new ObjectKey(namespace, name));
        }

        @Override
        public <X extends HasMetadata> Optional<X> find(Class<X> wanted, ObjectKey key) {
            return client().get(ResourceType.of(wanted), key);
        }

        @Override
        public <X extends HasMetadata> List<X> list(Class<X> wanted, String namespace) {
            return client().list(ResourceType.of(wanted), Query.in(namespace));
        }
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
        return new RunningClient(attempt, writer.client().blocking());
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

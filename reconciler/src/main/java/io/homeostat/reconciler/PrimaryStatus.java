package io.homeostat.reconciler;

import io.fabric8.kubernetes.api.model.Condition;
import io.fabric8.kubernetes.api.model.ConditionBuilder;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.client.CustomResource;
import io.homeostat.client.ApiClient;
import io.homeostat.client.ApiException;
import io.homeostat.client.ObjectKey;
import io.homeostat.client.RawObject;
import io.homeostat.client.RequestBodies;
import io.homeostat.client.ResourceType;
import io.homeostat.core.DeadlineExceededException;
import io.homeostat.core.InterruptedWaitException;
import io.homeostat.informer.CachedObject;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.ParameterizedType;
import java.nio.charset.StandardCharsets;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The status of the reconciled object, during one reconcile: changed by the reconciler (D34), and told by the engine that something
 * is refused (D33).
 *
 * <p><b>Threads.</b> Those of the reconcile. <b>Failure.</b> A write whose outcome is not known is remembered in {@link Children}, so
 * that the next one looks first.
 */
final class PrimaryStatus<R extends HasMetadata> {
    /** The reason of the conditions that are the engine's: they go when it has none to say. */
    static final String REASON = "ForeignObject";

    private static final byte[] REASON_IN_JSON = ("\"" + REASON + "\"").getBytes(StandardCharsets.UTF_8);
    private static final int LONGEST_MESSAGE = 2000;

    private final Attempt<ObjectKey> attempt;
    private final Sources sources;
    private final Children.Writer writer;
    private final ResourceType<R> type;
    private final RawObject primary;
    private final Children children;
    private volatile boolean changedByUser; // set by whatever thread the reconciler uses, read when it has ended

    PrimaryStatus(
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

    private ObjectKey key() {
        return attempt.key();
    }

    /** See {@link Context#updateStatus}. */
    <S> void change(Consumer<S> change) {
        changedByUser = true;
        children.statusIsKept();
        RawObject base = base();
        R before = base.decode(type);
        R after = base.decode(type);
        changed(change, statusOf(after));
        byte[] patch = RequestBodies.statusPatch(
                writer.client().encode(before), writer.client().encode(after), base.resourceVersion());
        if (patch != null) {
            write(patch);
        }
    }

    /**
     * Says in the conditions what was refused in this attempt, or takes back what was said of an earlier one: {@code Stalled=True}
     * (kstatus: it does not go on without somebody), and {@code Ready=False} unless the reconciler has said something itself.
     * Sends nothing when the object says so already.
     */
    void tellRefused(List<String> refused) {
        if (!hasConditions(type.objectClass())) {
            return;
        }
        RawObject newest = newest();
        if (newest == null || (refused.isEmpty() && !contains(newest.bytes(), REASON_IN_JSON))) {
            return;
        }
        RawObject base = base();
        List<Condition> conditions = new ArrayList<>();
        if (!refused.isEmpty()) {
            conditions.add(condition("Stalled", "True", refused, base.generation()));
            if (!changedByUser) {
                conditions.add(condition("Ready", "False", refused, base.generation()));
            }
        }
        byte[] patch = RequestBodies.conditionsPatch(base, conditions, REASON);
        if (patch != null) {
            write(patch);
        }
    }

    private Condition condition(String name, String status, List<String> refused, long generation) {
        String message = String.join("; ", refused);
        return new ConditionBuilder()
                .withType(name)
                .withStatus(status)
                .withReason(REASON)
                .withMessage(
                        message.length() <= LONGEST_MESSAGE ? message : message.substring(0, LONGEST_MESSAGE) + "…")
                .withObservedGeneration(generation == 0 ? null : generation)
                .withLastTransitionTime(writer.runtime()
                        .wallClock()
                        .truncatedTo(ChronoUnit.SECONDS)
                        .toString())
                .build();
    }

    private static boolean contains(byte[] bytes, byte[] wanted) {
        for (int at = 0; at <= bytes.length - wanted.length; at++) {
            int same = 0;
            while (same < wanted.length && bytes[at + same] == wanted[same]) {
                same++;
            }
            if (same == wanted.length) {
                return true;
            }
        }
        return false;
    }

    private @Nullable RawObject newest() {
        CachedObject<R> newest = sources.primary(type).get(key()).orElse(null);
        return newest == null || !newest.raw().uid().equals(primary.uid()) ? null : newest.raw();
    }

    /** The version to change: the newest known, looked up when a write before may have been done or not. */
    private RawObject base() {
        RawObject newest = newest();
        if (newest == null) {
            throw new CacheNotReady(type.kind() + " " + key() + " is gone; its status was not written");
        }
        if (!children.isStatusInDoubt()) {
            return newest;
        }
        RawObject base = live();
        children.statusLookedUp();
        return base;
    }

    private void write(byte[] patch) {
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
    RawObject live() {
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
            if (!isOfTheCall(wrong, status.getClass())) {
                throw wrong; // the change itself did that
            }
            throw new IllegalArgumentException(
                    "updateStatus of " + type.kind() + " " + key() + ": the change did not take a "
                            + status.getClass().getName() + ", which the status is; name that type in the lambda",
                    wrong);
        }
    }

    /**
     * Whether it was the call of the change that failed, not something inside it: the cast to the type that a lambda names happens
     * in a hidden frame right above ours, or in the {@code accept} that the compiler adds to a class.
     */
    private static boolean isOfTheCall(ClassCastException wrong, Class<?> status) {
        StackTraceElement[] stack = wrong.getStackTrace();
        if (stack.length == 0) {
            return false;
        }
        String message = wrong.getMessage();
        return stack[0].getClassName().equals(PrimaryStatus.class.getName())
                || (stack[0].getMethodName().equals("accept")
                        && message != null
                        && message.startsWith("class " + status.getName() + " cannot be cast"));
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

    /** Whether the class has a place for conditions in its status. Another's built-in kind is none of ours to write to. */
    private static boolean hasConditions(Class<?> type) {
        if (!CustomResource.class.isAssignableFrom(type)) {
            return false;
        }
        Class<?> status;
        try {
            status = statusType(type, type.getMethod("getStatus"));
        } catch (NoSuchMethodException none) {
            return false;
        }
        for (Method method : status.getMethods()) {
            if (method.getName().equals("getConditions") && List.class.isAssignableFrom(method.getReturnType())) {
                return true;
            }
        }
        for (Field field : status.getFields()) {
            if (field.getName().equals("conditions") && List.class.isAssignableFrom(field.getType())) {
                return true;
            }
        }
        return false;
    }
}

package io.homeostat.client;

import io.homeostat.core.Lane;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * Collects all pages of a list. When the continue token expires on the way (410), the pages read so far and the rest would be of
 * different versions: it starts once more, without a limit, which needs no token (as client-go's pager does).
 *
 * <p><b>Threads.</b> Confined to the lane given.
 */
final class WholeList implements Streams.ListListener {
    /** client-go's page size. */
    private static final String PAGE = "500";

    private final HttpApiClient client;
    private final ResourceType<?> type;
    private final Query query;
    private final Lane lane;
    private final CompletableFuture<List<RawObject>> result = new CompletableFuture<>();
    private final List<RawObject> objects = new ArrayList<>(); // confined to lane
    private Streams.@Nullable Handle page; // confined to lane
    private int pages; // confined to lane: complete ones of this attempt
    private int items; // confined to lane: of complete pages of this attempt
    private boolean restarted; // confined to lane

    WholeList(HttpApiClient client, ResourceType<?> type, Query query, Lane lane) {
        this.client = client;
        this.type = type;
        this.query = query;
        this.lane = lane;
    }

    CompletionStage<List<RawObject>> start() {
        result.whenComplete((all, failure) -> {
            if (result.isCancelled()) { // the caller stopped waiting
                lane.execute(this::giveUp);
            }
        });
        Query first = query.parameters().containsKey("limit") ? query : query.with("limit", PAGE);
        lane.execute(() -> ask(first));
        return result;
    }

    private void ask(Query next) {
        if (result.isDone()) {
            return;
        }
        Streams.Handle handle = client.list(type, next, lane, this);
        page = handle;
        handle.demand(Integer.MAX_VALUE);
    }

    private void giveUp() {
        if (page != null) {
            page.close();
            page = null;
        }
    }

    @Override
    public void items(List<ListItem> batch) {
        for (ListItem item : batch) {
            if (item instanceof ListItem.Scanned scanned) {
                objects.add(scanned.object());
            } else if (item instanceof ListItem.Unscannable broken) {
                giveUp();
                result.completeExceptionally(new ApiException.Malformed(
                        "list " + type,
                        ApiException.Answer.none("item " + (items + broken.index())
                                + (broken.key() == null
                                        ? ""
                                        : " ("
                                                + ResourcePath.printable(
                                                        broken.key().toString()) + ")")
                                + " cannot be read: " + broken.problem()),
                        null));
                return;
            }
        }
    }

    @Override
    public void ended(Streams.ListEnd end) {
        pages++;
        items += end.count();
        if (end.continueToken().isEmpty()) {
            result.complete(List.copyOf(objects));
            return;
        }
        // The token stands for version and position; a resourceVersion beside it is refused.
        Query next = query.with("limit", restarted ? "" : query.parameters().getOrDefault("limit", PAGE))
                .with("resourceVersion", "")
                .with("resourceVersionMatch", "")
                .with("continue", end.continueToken());
        ask(next);
    }

    @Override
    public void failed(ApiException cause) {
        if (cause instanceof ApiException.Gone && pages > 0 && !restarted) {
            restarted = true;
            pages = 0;
            items = 0;
            objects.clear();
            ask(query.with("limit", "").with("continue", ""));
            return;
        }
        result.completeExceptionally(cause);
    }
}

package io.homeostat.client;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Checks JSON as its bytes come, cut into chunks anywhere, and keeps what is needed of it: the bytes without
 * {@code metadata.managedFields}, and the places of the parts that are looked at, those of dropped paths among them. One pass, no tree,
 * no string.
 *
 * <p>Paths are anchored by depth: a {@code managedFields} or {@code metadata} elsewhere is content like any other. Of two members with
 * the same key the last one counts, as it does for the decoder.
 *
 * <pre>{@code
 * advance: NONE (all bytes used, more needed) | ELEMENT (an item of a list is in the buffer) | ROOT (the document is complete)
 *        | BROKEN (no JSON, or not of this shape; final until restart)
 * }</pre>
 *
 * <p><b>Threads.</b> Confined to the stream's lane. <b>Memory.</b> One buffer, reused, of at most {@code limit} bytes: what is larger
 * is skipped without being kept ({@link #oversized}).
 */
final class JsonCutter {
    // Invariants
    // - kept[0..keptLength) holds the document's bytes so far, less what was cut or given out as an element; while
    // copying, the
    //   chunk's bytes from copyFrom up to the read position belong behind them.
    // - hookDepth <= depth: keys and values are looked at only when both are equal, that is at the document's top
    // level, in the
    //   watched object or list item, and in its metadata.
    // - roles[hookDepth] says what the present member at that depth is.
    // - cuts[0..2*cutCount) are the dropped parts of the present object: pairs of places in kept, ascending, apart from
    // each other,
    //   each with the comma that is not needed without it. What is between them is JSON again.
    // - nodes[d], for d up to hookDepth, is what the container at depth d is on dropped paths; next[d] what its present
    // value is.

    /** What a document holds, and how deep its objects lie. */
    enum Shape {
        /** One object. */
        OBJECT,
        /** {@code {"type": …, "object": …}}. */
        FRAME,
        /** {@code {"items": […], …}}. */
        LIST
    }

    enum Event {
        NONE,
        ELEMENT,
        ROOT,
        BROKEN
    }

    /**
     * The deepest nesting that is followed: that of any object which a server takes (Go's limit, 10,000), and of what an object stands in.
     * Were it less, one object could break each list that holds it.
     */
    static final int MAX_DEPTH = 10_000 + 8;

    private static final int START = 0;
    private static final int VALUE = 1;
    private static final int FIRST_ELEMENT = 2;
    private static final int FIRST_KEY = 3;
    private static final int KEY = 4;
    private static final int COLON = 5;
    private static final int AFTER_VALUE = 6;
    private static final int STRING = 7;
    private static final int ESCAPE = 8;
    private static final int HEX = 9;
    private static final int LITERAL = 10;
    private static final int MINUS = 11;
    private static final int ZERO = 12;
    private static final int INTEGER = 13;
    private static final int POINT = 14;
    private static final int FRACTION = 15;
    private static final int EXPONENT = 16;
    private static final int EXPONENT_SIGN = 17;
    private static final int EXPONENT_DIGITS = 18;
    private static final int END = 19;
    private static final int FAILED = 20;

    /** Bytes of none of these sorts are 0. */
    private static final int SPACE = 1;

    private static final int QUOTE = 2;
    private static final int OPEN_OBJECT = 3;
    private static final int CLOSE_OBJECT = 4;
    private static final int OPEN_ARRAY = 5;
    private static final int CLOSE_ARRAY = 6;
    private static final int COMMA = 7;
    private static final int DIGIT = 8;
    private static final int DASH = 9;
    private static final int WORD = 10;

    private static final int ROLE_NONE = 0;
    private static final int ROLE_ROOT = 1;
    private static final int ROLE_TYPE = 2;
    private static final int ROLE_OBJECT = 3;
    private static final int ROLE_ITEMS = 4;
    private static final int ROLE_ITEM = 5;
    private static final int ROLE_METADATA = 6;
    private static final int ROLE_KIND = 7;
    private static final int ROLE_API_VERSION = 8;
    private static final int ROLE_CUT = 9;
    private static final int ROLE_DROPPED = 10;

    private static final byte[] CLASSES = classes();
    private static final VarHandle LONGS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final int INITIAL_BUFFER = 16 * 1024;
    private static final int RETAINED_BUFFER = 1024 * 1024;
    /** The depths that are looked at when nothing is dropped. */
    private static final int HOOKS = 6;

    // All fields are confined to the stream's lane.
    private final Shape shape;
    private final int limit;
    private final DroppedPaths.@Nullable Node dropped;
    private final long[] objectAt = new long[MAX_DEPTH / 64 + 1];
    private final int[] roles;
    private final int[] lastComma;
    private final DroppedPaths.@Nullable Node[] nodes;
    private final DroppedPaths.@Nullable Node[] next;

    private byte[] kept = new byte[INITIAL_BUFFER];
    private int keptLength;
    private boolean copying = true;
    private int copyFrom;
    private boolean oversized;

    private int state = START;
    private int depth;
    private int hookDepth;
    private boolean inKey;
    private int hexLeft;
    private String literal = "";
    private int literalAt;
    private boolean afterLineBreak;

    private long consumed;
    private long rootStart;
    private long elementStart;
    private int keyStart;
    private boolean dropComma;
    private int[] cuts = {};
    private int cutCount;
    private int droppedFrom;
    private boolean cutTakesComma;
    private int itemsStart = -1;
    private int elementKeptStart;
    private int elementFirst;
    private String problem = "";
    private Event event = Event.NONE;

    /** Where the parts of the present frame, item or object lie in {@link #kept}; {@code -1} for absent. */
    int typeStart = -1;

    int typeEnd = -1;
    int objectStart = -1;
    int objectEnd = -1;
    int metadataStart = -1;
    int metadataEnd = -1;
    int kindStart = -1;
    int kindEnd = -1;
    int apiVersionStart = -1;
    int apiVersionEnd = -1;

    JsonCutter(Shape shape, int limit) {
        this(shape, limit, DroppedPaths.NONE);
    }

    JsonCutter(Shape shape, int limit, DroppedPaths paths) {
        this.shape = shape;
        this.limit = limit;
        this.dropped = paths.isEmpty() ? null : paths.root();
        int hooks = HOOKS + paths.depth();
        this.roles = new int[hooks];
        this.lastComma = new int[hooks];
        this.nodes = new DroppedPaths.@Nullable Node[dropped == null ? 0 : hooks];
        this.next = new DroppedPaths.@Nullable Node[dropped == null ? 0 : hooks];
        roles[0] = ROLE_ROOT;
    }

    private static byte[] classes() {
        byte[] table = new byte[256];
        for (char c : new char[] {' ', '\t', '\n', '\r'}) {
            table[c] = SPACE;
        }
        for (char c = '0'; c <= '9'; c++) {
            table[c] = DIGIT;
        }
        table['"'] = QUOTE;
        table['{'] = OPEN_OBJECT;
        table['}'] = CLOSE_OBJECT;
        table['['] = OPEN_ARRAY;
        table[']'] = CLOSE_ARRAY;
        table[','] = COMMA;
        table['-'] = DASH;
        table['t'] = WORD;
        table['f'] = WORD;
        table['n'] = WORD;
        return table;
    }

    /** The bytes kept; valid up to {@link #keptLength} until the next call that changes this cutter. */
    byte[] kept() {
        return kept;
    }

    int keptLength() {
        return keptLength;
    }

    /** Whether the present object has nothing of a dropped path. */
    boolean dropsNothing() {
        return cutCount == 0;
    }

    /** How many bytes of {@link #kept} from {@code from} to {@code to}, two places in the present object, are of no dropped path. */
    int lengthWithoutDropped(int from, int to) {
        int length = to - from;
        for (int i = 0; i < 2 * cutCount; i += 2) {
            if (cuts[i] >= from && cuts[i + 1] <= to) {
                length -= cuts[i + 1] - cuts[i];
            }
        }
        return length;
    }

    /** Copies the bytes that {@link #lengthWithoutDropped} counts; the place behind the last one in {@code target}. */
    int copyWithoutDropped(int from, int to, byte[] target, int at) {
        int put = at;
        int done = from;
        for (int i = 0; i < 2 * cutCount; i += 2) {
            if (cuts[i] >= from && cuts[i + 1] <= to) {
                System.arraycopy(kept, done, target, put, cuts[i] - done);
                put += cuts[i] - done;
                done = cuts[i + 1];
            }
        }
        System.arraycopy(kept, done, target, put, to - done);
        return put + to - done;
    }

    /** What the last {@link #advance} ended with. */
    Event event() {
        return event;
    }

    /** Whether the frame, item or object was larger than the limit, so that only its beginning was kept. */
    boolean oversized() {
        return oversized;
    }

    /** Whether nothing of a document has come, whitespace aside. */
    boolean atStart() {
        return state == START;
    }

    /** Why the document is {@link Event#BROKEN}. */
    String problem() {
        return problem;
    }

    /** Whether the byte that broke the document is the first one of a line: a new document may begin with it. */
    boolean brokeAtLineStart() {
        return afterLineBreak;
    }

    /** The bytes that the present document has had so far. */
    long documentBytes() {
        return consumed - rootStart;
    }

    /** The bytes that the present (or just completed) item has had, cut ones included. */
    long elementBytes() {
        return consumed - elementStart;
    }

    /** Where the just completed item begins in {@link #kept}, whatever it is. */
    int elementKeptStart() {
        return elementKeptStart;
    }

    /** Begins a new document. */
    void restart() {
        state = START;
        depth = 0;
        hookDepth = 0;
        afterLineBreak = false;
        itemsStart = -1;
        typeStart = -1;
        typeEnd = -1;
        dropComma = false;
        clearObject();
        emptyTo(0);
        copying = true;
    }

    private void clearObject() {
        objectStart = -1;
        objectEnd = -1;
        metadataStart = -1;
        metadataEnd = -1;
        kindStart = -1;
        kindEnd = -1;
        apiVersionStart = -1;
        apiVersionEnd = -1;
        cutCount = 0;
        cutTakesComma = false;
    }

    private void emptyTo(int length) {
        keptLength = length;
        oversized = false;
        if (kept.length > RETAINED_BUFFER && length < INITIAL_BUFFER) {
            kept = Arrays.copyOf(kept, INITIAL_BUFFER);
        }
    }

    /**
     * Takes bytes until something is complete or broken, or all are used.
     *
     * @return the index of the first byte not taken; with {@link Event#BROKEN} that is the byte at fault
     */
    int advance(byte[] b, int from, int to) {
        event = Event.NONE;
        copyFrom = from;
        long chunkStart = consumed - from;
        int i = from;
        while (i < to) {
            if (depth > hookDepth) {
                i = skim(b, i, to);
                if (i == to) {
                    break;
                }
            }
            switch (state) {
                case STRING -> {
                    i = endOfPlain(b, i, to);
                    if (i == to) {
                        break;
                    }
                    byte c = b[i];
                    if (c == '"') {
                        i++;
                        if (!inKey) {
                            state = AFTER_VALUE;
                            if (depth == hookDepth && valueEnds(b, i)) {
                                return stop(b, i, chunkStart);
                            }
                        } else {
                            if (depth == hookDepth) {
                                keyEnds(b, i);
                                if (state == FAILED) {
                                    return stop(b, i - 1, chunkStart);
                                }
                            }
                            inKey = false;
                            state = COLON;
                            if (i < to && b[i] == ':') {
                                i++;
                                state = VALUE;
                            }
                        }
                    } else if (c == '\\') {
                        state = ESCAPE;
                        i++;
                    } else {
                        afterLineBreak = c == '\n';
                        return broken(b, i, chunkStart, "a control character in a string");
                    }
                }
                case AFTER_VALUE -> {
                    byte c = b[i];
                    if (c == ',') {
                        if (depth == hookDepth) {
                            commaAt(i);
                        }
                        i++;
                        state = inObject() ? KEY : VALUE;
                        afterLineBreak = false;
                    } else if (c == '}' || c == ']') {
                        if ((c == '}') != inObject()) {
                            return broken(b, i, chunkStart, c == '}' ? "} in an array" : "] in an object");
                        }
                        i = close(b, i, chunkStart);
                        if (event != Event.NONE) {
                            return i;
                        }
                    } else if (CLASSES[c & 0xff] == SPACE) {
                        afterLineBreak |= c == '\n';
                        i++;
                    } else {
                        return broken(b, i, chunkStart, found(c) + " where , or the end of the container belongs");
                    }
                }
                case START, VALUE, FIRST_ELEMENT -> {
                    byte c = b[i];
                    int kind = CLASSES[c & 0xff];
                    if (kind == SPACE) {
                        afterLineBreak |= c == '\n';
                        i++;
                        if (state == START) {
                            copyFrom = i;
                        }
                        break;
                    }
                    if (state == START) {
                        rootStart = chunkStart + i;
                        if (kind != OPEN_OBJECT) {
                            afterLineBreak = false;
                            return broken(b, i, chunkStart, found(c) + " where a JSON object begins");
                        }
                    } else if (kind == CLOSE_ARRAY && state == FIRST_ELEMENT) {
                        i = close(b, i, chunkStart);
                        if (event != Event.NONE) {
                            return i;
                        }
                        break;
                    }
                    if (depth == hookDepth) {
                        valueBegins(b, i, kind, chunkStart);
                        if (state == FAILED) {
                            return stop(b, i, chunkStart);
                        }
                    }
                    switch (kind) {
                        case QUOTE -> state = STRING;
                        case OPEN_OBJECT, OPEN_ARRAY -> {
                            if (depth == MAX_DEPTH) {
                                return broken(b, i, chunkStart, "more than " + MAX_DEPTH + " nested containers");
                            }
                            open(b, i, kind);
                        }
                        case DIGIT -> state = c == '0' ? ZERO : INTEGER;
                        case DASH -> state = MINUS;
                        case WORD -> {
                            literal = c == 't' ? "true" : c == 'f' ? "false" : "null";
                            literalAt = 1;
                            state = LITERAL;
                        }
                        default -> {
                            return broken(b, i, chunkStart, found(c) + " where a value belongs");
                        }
                    }
                    afterLineBreak = false;
                    i++;
                }
                case FIRST_KEY, KEY -> {
                    byte c = b[i];
                    if (c == '"') {
                        if (depth == hookDepth) {
                            keyStart = keptAt(i);
                        }
                        inKey = true;
                        state = STRING;
                        afterLineBreak = false;
                        i++;
                    } else if (c == '}' && state == FIRST_KEY) {
                        i = close(b, i, chunkStart);
                        if (event != Event.NONE) {
                            return i;
                        }
                    } else if (CLASSES[c & 0xff] == SPACE) {
                        afterLineBreak |= c == '\n';
                        i++;
                    } else {
                        return broken(b, i, chunkStart, found(c) + " where a key belongs");
                    }
                }
                case COLON -> {
                    byte c = b[i];
                    if (c == ':') {
                        state = VALUE;
                        afterLineBreak = false;
                    } else if (CLASSES[c & 0xff] == SPACE) {
                        afterLineBreak |= c == '\n';
                    } else {
                        return broken(b, i, chunkStart, found(c) + " where : belongs");
                    }
                    i++;
                }
                case ESCAPE -> {
                    switch (b[i]) {
                        case '"', '\\', '/', 'b', 'f', 'n', 'r', 't' -> state = STRING;
                        case 'u' -> {
                            state = HEX;
                            hexLeft = 4;
                        }
                        default -> {
                            afterLineBreak = b[i] == '\n';
                            return broken(b, i, chunkStart, "an escape that JSON does not have");
                        }
                    }
                    i++;
                }
                case HEX -> {
                    if (Character.digit(b[i], 16) < 0) {
                        afterLineBreak = b[i] == '\n';
                        return broken(b, i, chunkStart, "a \\u escape without four hexadecimal digits");
                    }
                    i++;
                    if (--hexLeft == 0) {
                        state = STRING;
                    }
                }
                case LITERAL -> {
                    if (b[i] != literal.charAt(literalAt)) {
                        afterLineBreak = b[i] == '\n';
                        return broken(b, i, chunkStart, "a word that is neither true, false nor null");
                    }
                    i++;
                    if (++literalAt == literal.length()) {
                        state = AFTER_VALUE;
                        if (depth == hookDepth && valueEnds(b, i)) {
                            return stop(b, i, chunkStart);
                        }
                    }
                }
                case MINUS, ZERO, INTEGER, POINT, FRACTION, EXPONENT, EXPONENT_SIGN, EXPONENT_DIGITS -> {
                    byte c = b[i];
                    int next = afterInNumber(state, c);
                    if (next != FAILED) {
                        state = next;
                        i++;
                    } else if (state == ZERO || state == INTEGER || state == FRACTION || state == EXPONENT_DIGITS) {
                        // The number ended before this byte, which is looked at again.
                        state = AFTER_VALUE;
                        if (depth == hookDepth && valueEnds(b, i)) {
                            return stop(b, i, chunkStart);
                        }
                    } else {
                        afterLineBreak = c == '\n';
                        return broken(b, i, chunkStart, found(c) + " in a number");
                    }
                }
                case END -> {
                    if (CLASSES[b[i] & 0xff] != SPACE) {
                        return broken(b, i, chunkStart, "bytes after the end of the document");
                    }
                    i++;
                }
                default -> {
                    event = Event.BROKEN;
                    return i;
                }
            }
        }
        return stop(b, i, chunkStart);
    }

    /**
     * Takes what is common in the depths where nothing is looked at, and leaves the rest (spaces, escapes, odd numbers, errors, the
     * bracket that leads back up) to {@link #advance}: by far the most bytes go through here.
     */
    private int skim(byte[] b, int from, int to) {
        int i = from;
        int at = state;
        int d = depth;
        int floor = hookDepth + 1;
        boolean object = inObject();
        boolean key = inKey;
        loop:
        while (i < to) {
            switch (at) {
                case STRING -> {
                    i = endOfPlain(b, i, to);
                    if (i == to || b[i] != '"') {
                        break loop;
                    }
                    i++;
                    if (!key) {
                        at = AFTER_VALUE;
                        continue;
                    }
                    key = false;
                    if (i == to || b[i] != ':') {
                        at = COLON;
                        break loop;
                    }
                    i++;
                    at = VALUE;
                }
                case AFTER_VALUE -> {
                    byte c = b[i];
                    if (c == ',') {
                        i++;
                        at = object ? KEY : VALUE;
                    } else if (c == (object ? '}' : ']') && d > floor) {
                        i++;
                        d--;
                        object = (objectAt[d >>> 6] & (1L << d)) != 0;
                    } else {
                        break loop;
                    }
                }
                case FIRST_KEY, KEY -> {
                    byte c = b[i];
                    if (c == '"') {
                        i++;
                        key = true;
                        at = STRING;
                    } else if (c == '}' && at == FIRST_KEY && d > floor) {
                        i++;
                        d--;
                        object = (objectAt[d >>> 6] & (1L << d)) != 0;
                        at = AFTER_VALUE;
                    } else {
                        break loop;
                    }
                }
                case VALUE, FIRST_ELEMENT -> {
                    byte c = b[i];
                    if (c == '"') {
                        i++;
                        at = STRING;
                    } else if (c == '{' && d < MAX_DEPTH) {
                        i++;
                        if (i < to && b[i] == '}') {
                            i++;
                            at = AFTER_VALUE;
                        } else {
                            d++;
                            objectAt[d >>> 6] |= 1L << d;
                            object = true;
                            at = FIRST_KEY;
                        }
                    } else if (c == '[' && d < MAX_DEPTH) {
                        i++;
                        d++;
                        objectAt[d >>> 6] &= ~(1L << d);
                        object = false;
                        at = FIRST_ELEMENT;
                    } else if (c >= '1' && c <= '9') {
                        i++;
                        while (i < to && b[i] >= '0' && b[i] <= '9') {
                            i++;
                        }
                        if (i == to || (b[i] != ',' && b[i] != '}' && b[i] != ']')) {
                            at = INTEGER;
                            break loop;
                        }
                        at = AFTER_VALUE;
                    } else if (c == 't' && to - i > 3 && b[i + 1] == 'r' && b[i + 2] == 'u' && b[i + 3] == 'e') {
                        i += 4;
                        at = AFTER_VALUE;
                    } else {
                        break loop;
                    }
                }
                default -> {
                    break loop;
                }
            }
        }
        state = at;
        depth = d;
        inKey = key;
        afterLineBreak &= i == from;
        return i;
    }

    private static int afterInNumber(int state, byte c) {
        boolean digit = c >= '0' && c <= '9';
        boolean exponent = c == 'e' || c == 'E';
        return switch (state) {
            case MINUS -> c == '0' ? ZERO : digit ? INTEGER : FAILED;
            case ZERO -> c == '.' ? POINT : exponent ? EXPONENT : FAILED;
            case INTEGER -> digit ? INTEGER : c == '.' ? POINT : exponent ? EXPONENT : FAILED;
            case POINT -> digit ? FRACTION : FAILED;
            case FRACTION -> digit ? FRACTION : exponent ? EXPONENT : FAILED;
            case EXPONENT -> digit ? EXPONENT_DIGITS : c == '+' || c == '-' ? EXPONENT_SIGN : FAILED;
            default -> digit ? EXPONENT_DIGITS : FAILED;
        };
    }

    /** The index of the first quote, backslash or control character, eight bytes at a time; {@code to} when there is none. */
    static int endOfPlain(byte[] b, int from, int to) {
        int i = from;
        while (i <= to - 8) {
            long word = (long) LONGS.get(b, i);
            long quote = word ^ 0x2222222222222222L;
            long backslash = word ^ 0x5c5c5c5c5c5c5c5cL;
            long hit = (((quote - 0x0101010101010101L) & ~quote)
                            | ((backslash - 0x0101010101010101L) & ~backslash)
                            | ((word - 0x2020202020202020L) & ~word))
                    & 0x8080808080808080L;
            if (hit != 0) {
                // The lowest hit is exact; a borrow can only make later bytes look like hits.
                return i + (Long.numberOfTrailingZeros(hit) >>> 3);
            }
            i += 8;
        }
        while (i < to) {
            byte c = b[i];
            if (c == '"' || c == '\\' || (c >= 0 && c < 0x20)) {
                return i;
            }
            i++;
        }
        return to;
    }

    private boolean inObject() {
        return (objectAt[depth >>> 6] & (1L << depth)) != 0;
    }

    private void open(byte[] b, int i, int kind) {
        boolean descend = depth == hookDepth && descends(kind);
        depth++;
        if (kind == OPEN_OBJECT) {
            objectAt[depth >>> 6] |= 1L << depth;
            state = FIRST_KEY;
        } else {
            objectAt[depth >>> 6] &= ~(1L << depth);
            state = FIRST_ELEMENT;
        }
        if (descend) {
            hookDepth = depth;
            roles[depth] = ROLE_NONE;
            lastComma[depth] = -1;
            if (dropped != null) {
                descendTo(kind);
            }
            if (roles[depth - 1] == ROLE_ITEMS) {
                roles[depth] = ROLE_ITEM;
                keep(b, i + 1);
                itemsStart = keptLength;
                copying = false;
            }
        }
    }

    private boolean descends(int kind) {
        return switch (roles[depth]) {
            case ROLE_ROOT, ROLE_OBJECT, ROLE_ITEM, ROLE_METADATA -> kind == OPEN_OBJECT;
            case ROLE_ITEMS -> kind == OPEN_ARRAY;
            case ROLE_NONE -> {
                DroppedPaths.Node node = dropped == null ? null : next[depth];
                yield node != null && node.leadsInto(kind == OPEN_OBJECT);
            }
            default -> false;
        };
    }

    /** Takes the paths along into the container that begins. */
    private void descendTo(int kind) {
        DroppedPaths.Node node =
                switch (roles[depth - 1]) {
                    case ROLE_ROOT -> shape == Shape.OBJECT ? dropped : null;
                    case ROLE_OBJECT, ROLE_ITEM -> dropped;
                    case ROLE_METADATA, ROLE_NONE -> next[depth - 1];
                    default -> null;
                };
        nodes[depth] = node;
        next[depth] = node == null || kind == OPEN_OBJECT ? null : node.elements();
    }

    private int close(byte[] b, int i, long chunkStart) {
        depth--;
        if (depth < hookDepth) {
            if (roles[depth] == ROLE_ITEMS) {
                // The items have been given out; the envelope goes on.
                emptyTo(itemsStart);
                copying = true;
                copyFrom = i;
            } else if (dropComma) {
                // managedFields was all there was.
                dropComma = false;
                copying = true;
                copyFrom = i;
            }
            cutTakesComma = false;
            hookDepth = depth;
        }
        state = AFTER_VALUE;
        afterLineBreak = false;
        if (depth == hookDepth && valueEnds(b, i + 1)) {
            return stop(b, i + 1, chunkStart);
        }
        return i + 1;
    }

    /** The place in {@link #kept} that the chunk's byte {@code i} has or will have. */
    private int keptAt(int i) {
        return copying ? keptLength + (i - copyFrom) : keptLength;
    }

    /** Keeps the chunk's bytes before {@code end}. */
    private void keep(byte[] b, int end) {
        if (!copying) {
            copyFrom = end;
            return;
        }
        int count = end - copyFrom;
        if (count <= 0) {
            return;
        }
        int room = limit - keptLength;
        int fits = Math.min(count, room);
        if (fits > kept.length - keptLength) {
            kept = Arrays.copyOf(kept, (int) Math.min(limit, Math.max(2L * kept.length, (long) keptLength + fits)));
        }
        System.arraycopy(b, copyFrom, kept, keptLength, fits);
        keptLength += fits;
        copyFrom = end;
        if (count > room) {
            overflow();
        }
    }

    /** From here on the present item (or frame, or object) is only followed to its end; what was kept so far stays. */
    private void overflow() {
        oversized = true;
        copying = false;
        dropComma = false;
        cutTakesComma = false;
        objectEnd = -1;
        if (itemsStart >= 0 && hookDepth >= 2 && roles[1] == ROLE_ITEMS) {
            hookDepth = 2;
        } else {
            hookDepth = 0;
        }
    }

    private void keyEnds(byte[] b, int i) {
        keep(b, i);
        if (oversized) {
            return;
        }
        int role = ROLE_NONE;
        int level = depth - (shape == Shape.OBJECT ? 1 : shape == Shape.FRAME ? 2 : 3);
        if (level >= 1) {
            if (level == 1 && roles[depth - 1] == ROLE_METADATA && keyIs("managedFields")) {
                role = ROLE_CUT;
            }
        } else if (level == 0) {
            if (keyIs("metadata")) {
                role = ROLE_METADATA;
                metadataStart = -1;
                metadataEnd = -1;
            } else if (keyIs("kind")) {
                role = ROLE_KIND;
            } else if (keyIs("apiVersion")) {
                role = ROLE_API_VERSION;
            }
        } else if (shape == Shape.FRAME) {
            if (keyIs("type")) {
                role = ROLE_TYPE;
            } else if (keyIs("object")) {
                role = ROLE_OBJECT;
                clearObject();
            }
        } else if (keyIs("items")) {
            role = ROLE_ITEMS;
            if (itemsStart >= 0) {
                state = FAILED;
                problem = "a second member \"items\"";
            }
        }
        if (dropped != null && level >= 0 && role != ROLE_CUT) {
            DroppedPaths.Node node = nodes[depth];
            DroppedPaths.Node member = node == null ? null : node.member(kept, keyStart, keptLength);
            if (member != null && member.isEnd()) {
                role = ROLE_DROPPED;
            }
            next[depth] = member;
        }
        roles[depth] = role;
    }

    private boolean keyIs(String name) {
        int start = keyStart + 1;
        int length = keptLength - 1 - start;
        if (length == name.length()) {
            for (int k = 0; k < length; k++) {
                if (kept[start + k] != name.charAt(k)) {
                    return false;
                }
            }
            return true;
        }
        // An escaped key is longer than what it spells.
        return length > name.length() && escaped(start, length) && name.equals(JsonCursor.text(kept, keyStart));
    }

    private boolean escaped(int start, int length) {
        for (int k = start; k < start + length; k++) {
            if (kept[k] == '\\') {
                return true;
            }
        }
        return false;
    }

    private void commaAt(int i) {
        if (dropComma) {
            dropComma = false;
            copying = !oversized;
            copyFrom = i + 1;
            return;
        }
        if (cutTakesComma) {
            cutTakesComma = false;
            cuts[2 * cutCount - 1] = keptAt(i) + 1;
            return;
        }
        lastComma[depth] = keptAt(i);
    }

    private void valueBegins(byte[] b, int i, int kind, long chunkStart) {
        switch (roles[depth]) {
            case ROLE_ROOT -> {
                if (shape == Shape.OBJECT) {
                    clearObject();
                    objectStart = keptAt(i);
                }
            }
            case ROLE_TYPE -> typeStart = keptAt(i);
            case ROLE_KIND -> kindStart = keptAt(i);
            case ROLE_API_VERSION -> apiVersionStart = keptAt(i);
            case ROLE_METADATA -> metadataStart = keptAt(i);
            case ROLE_OBJECT -> objectStart = keptAt(i);
            case ROLE_ITEM -> {
                emptyTo(itemsStart);
                copying = true;
                copyFrom = i;
                clearObject();
                elementStart = chunkStart + i;
                elementKeptStart = itemsStart;
                elementFirst = kind;
                objectStart = kind == OPEN_OBJECT ? itemsStart : -1;
            }
            case ROLE_CUT -> {
                // Takes back what was kept since the comma before the key, or since the bracket when it is the first
                // member.
                keep(b, i);
                if (oversized) {
                    return;
                }
                keptLength = lastComma[depth] >= 0 ? lastComma[depth] : keyStart;
                dropComma = lastComma[depth] < 0;
                copying = false;
            }
                // From the comma before the key on, or from the key when no member before it stays.
            case ROLE_DROPPED -> droppedFrom = lastComma[depth] >= 0 ? lastComma[depth] : keyStart;
            default -> {}
        }
    }

    /** Notes the end of a looked-at value, before the chunk's byte {@code i}; whether {@link #advance} has to stop here. */
    private boolean valueEnds(byte[] b, int i) {
        switch (roles[depth]) {
            case ROLE_ROOT -> {
                keep(b, i);
                objectEnd = shape == Shape.OBJECT && !oversized ? keptLength : objectEnd;
                copying = false;
                state = END;
                event = Event.ROOT;
                return true;
            }
            case ROLE_TYPE -> typeEnd = keptAt(i);
            case ROLE_KIND -> kindEnd = keptAt(i);
            case ROLE_API_VERSION -> apiVersionEnd = keptAt(i);
            case ROLE_METADATA -> metadataEnd = keptAt(i);
            case ROLE_OBJECT -> objectEnd = keptAt(i);
            case ROLE_ITEM -> {
                keep(b, i);
                objectEnd = objectStart >= 0 && !oversized ? keptLength : -1;
                copying = false;
                event = Event.ELEMENT;
                return true;
            }
            case ROLE_CUT -> {
                if (!dropComma) {
                    copying = true;
                    copyFrom = i;
                }
            }
            case ROLE_DROPPED -> {
                if (2 * cutCount == cuts.length) {
                    cuts = Arrays.copyOf(cuts, Math.max(16, 2 * cuts.length));
                }
                cuts[2 * cutCount] = droppedFrom;
                cuts[2 * cutCount + 1] = keptAt(i);
                cutCount++;
                cutTakesComma = lastComma[depth] < 0;
            }
            default -> {}
        }
        return false;
    }

    /** What the just completed item begins with, when it is no object. */
    String elementFound() {
        return switch (elementFirst) {
            case QUOTE -> "a string";
            case OPEN_OBJECT -> "an object";
            case OPEN_ARRAY -> "an array";
            case WORD -> "true, false or null";
            default -> "a number";
        };
    }

    private int stop(byte[] b, int i, long chunkStart) {
        keep(b, i);
        consumed = chunkStart + i;
        if (state == FAILED) {
            event = Event.BROKEN;
        } else if (oversized
                && shape != Shape.FRAME
                && !(shape == Shape.LIST && hookDepth == 2)
                && event == Event.NONE) {
            state = FAILED;
            problem = "more than " + limit + " bytes, the largest accepted";
            event = Event.BROKEN;
        }
        return i;
    }

    private int broken(byte[] b, int i, long chunkStart, String what) {
        keep(b, i);
        consumed = chunkStart + i;
        state = FAILED;
        problem = what;
        event = Event.BROKEN;
        return i;
    }

    /** A byte in words: a mark of JSON as it is, anything else by its sort only. */
    private static String found(byte c) {
        int kind = CLASSES[c & 0xff];
        if (c == '<') {
            return "< (HTML or XML?)";
        }
        if (c == ':' || (kind >= QUOTE && kind <= COMMA)) {
            return String.valueOf((char) c);
        }
        if (kind == DIGIT || kind == DASH) {
            return "a number";
        }
        if (c >= 0 && c < 0x20) {
            return kind == SPACE ? "a space" : "a control character";
        }
        return c < 0 ? "a byte beyond ASCII" : "another character";
    }
}

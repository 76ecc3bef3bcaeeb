package io.homeostat.integrationtests.planted.core;

import tools.jackson.databind.JsonNode;

/** Planted: public without a marker, and hard to call. */
public final class Unmarked {
    /** Planted. */
    public void takesBoolean(boolean flag) {}

    /** Planted. */
    public void takesSix(int a, int b, int c, int d, int e, int f) {}

    /** Planted. */
    public JsonNode showsJackson() {
        return tools.jackson.databind.node.NullNode.getInstance();
    }
}

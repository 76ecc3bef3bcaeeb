package io.homeostat.informer;

/** The contract of an informer whose store keeps decoded objects. */
class InformerOfDecodedObjectsTest extends InformerTest {
    @Override
    StorePolicy policy() {
        return StorePolicy.DECODED;
    }
}

package io.homeostat.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class TurnsTest {
    private final Turns turns = new Turns(2);
    private final List<String> begun = new ArrayList<>();

    private Turns.Turn enter(String name) {
        Turns.Turn turn = turns.turn(() -> begun.add(name));
        turn.enter();
        return turn;
    }

    @Test
    void whatComesBeyondTheLimitBeginsInOrderWhenThereIsRoom() {
        Turns.Turn first = enter("a");
        Turns.Turn second = enter("b");
        enter("c");
        enter("d");
        assertThat(begun).containsExactly("a", "b");

        second.over();
        second.over(); // once is enough
        assertThat(begun).containsExactly("a", "b", "c");
        first.over();
        assertThat(begun).containsExactly("a", "b", "c", "d");
    }

    @Test
    void turnThatIsGivenUpWhileItWaitsTakesNoRoom() {
        Turns.Turn first = enter("a");
        enter("b");
        enter("c").over();
        enter("d").leave();
        enter("e");

        first.leave(); // it has begun: there is no room yet
        assertThat(begun).containsExactly("a", "b");
        first.over();

        assertThat(begun).containsExactly("a", "b", "e");
    }

    @Test
    void turnsThatCannotBeginLetThoseBehindThemBegin() {
        Turns.Turn first = enter("a");
        enter("b");
        for (int i = 0; i < 100_000; i++) {
            turns.turn(() -> false).enter();
        }
        enter("c");

        first.over();

        assertThat(begun).containsExactly("a", "b", "c");
    }

    @Test
    void turnWhoseBeginningThrowsMakesRoomAndStrandsNobody() {
        Turns.Turn first = enter("a");
        enter("b");
        turns.turn(() -> {
                    throw new OutOfMemoryError("unable to create native thread");
                })
                .enter();
        enter("c");
        Turns.Turn last = turns.turn(() -> begun.add("d"));
        last.enter();

        assertThatThrownBy(first::over).isInstanceOf(OutOfMemoryError.class);
        assertThat(begun).containsExactly("a", "b", "c");

        last.over();
        enter("e").over();
        assertThat(begun).containsExactly("a", "b", "c");
    }

    @Test
    void turnWhoseBeginningThrowsTakesNoRoom() {
        for (int i = 0; i < 3; i++) {
            Turns.Turn broken = turns.turn(() -> {
                throw new IllegalArgumentException("a defect");
            });
            assertThatThrownBy(broken::enter).isInstanceOf(IllegalArgumentException.class);
        }

        enter("a");
        enter("b");

        assertThat(begun).containsExactly("a", "b");
    }
}

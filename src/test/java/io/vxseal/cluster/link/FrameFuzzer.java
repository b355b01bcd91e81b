package io.vxseal.cluster.link;

import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import io.vxseal.cluster.refusal.RefusedException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Fuzz target: octets of a session, in pieces of any size. */
public final class FrameFuzzer {
    private static final int MAX_BUDGET = 4 << 20;

    private FrameFuzzer() {}

    /** Checks that frames do not depend on how octets are cut into pieces, and that memory follows what has arrived. */
    public static void fuzzerTestOneInput(FuzzedDataProvider data) {
        boolean small = data.consumeBoolean();
        int maxOctets = data.consumeInt(0, Messages.MAX_OCTETS);
        int[] pieces = data.consumeInts(8);
        byte[] stream = data.consumeRemainingAsBytes();
        MeasuredBudget budget = new MeasuredBudget(small ? 10_000 : MAX_BUDGET);
        List<String> whole = read(stream, new int[0], maxOctets, new MeasuredBudget(MAX_BUDGET), stream.length);
        List<String> cut = read(stream, pieces, maxOctets, budget, stream.length);
        if (!small && !whole.equals(cut)) {
            throw new IllegalStateException("read whole " + whole + ", in pieces " + cut);
        }
        if (budget.reserved() != 0) {
            throw new IllegalStateException(budget.reserved() + " octets are still reserved");
        }
    }

    private static List<String> read(byte[] stream, int[] pieces, int maxOctets, MeasuredBudget budget, int arrived) {
        FrameReader reader = new FrameReader(maxOctets, budget);
        List<String> seen = new ArrayList<>();
        int from = 0;
        try {
            for (int i = 0; from < stream.length; i++) {
                int size = pieces.length == 0 ? stream.length : 1 + Math.floorMod(pieces[i % pieces.length], 5_000);
                int to = Math.min(stream.length, from + size);
                reader.read(ByteBuffer.wrap(stream, from, to - from), (type, _, payload) -> seen.add(type + ":" + Arrays.toString(payload)));
                from = to;
                if (budget.reserved() > 2L * arrived + 4096) {
                    throw new IllegalStateException(budget.reserved() + " octets reserved, " + arrived + " arrived");
                }
            }
        } catch (RefusedException refused) {
            seen.add("refused: " + refused.reason());
        }
        reader.release();
        return seen;
    }
}

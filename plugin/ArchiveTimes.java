import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Removes the times from a class data archive. The archived soft references hold when they were last used, in milliseconds of the
 * machine's clock, and there is no flag for that; and the checksums (which only -XX:+VerifySharedSpaces reads) cover them.
 * {@code ArchiveTimes EARLIER LATER} compares two archives made one after the other: where the later has a later time, the earlier
 * gets zero. A soft reference of time zero is one that was not used of late.
 */
class ArchiveTimes {

  private static final int HEADER = 4096;
  private static final long LONGEST_BUILD_MILLIS = 3_600_000;

  static void main(String[] arguments) throws IOException {
    var earlier = ByteBuffer.wrap(Files.readAllBytes(Path.of(arguments[0]))).order(ByteOrder.LITTLE_ENDIAN);
    var later = ByteBuffer.wrap(Files.readAllBytes(Path.of(arguments[1]))).order(ByteOrder.LITTLE_ENDIAN);
    if (earlier.capacity() != later.capacity()) {
      throw new IOException("two archives of one class list have " + earlier.capacity() + " and " + later.capacity() + " octets");
    }
    for (var at = 0; at < HEADER; at += Integer.BYTES) {
      if (earlier.getInt(at) != later.getInt(at)) earlier.putInt(at, 0);
    }
    for (var at = HEADER; at + Long.BYTES <= earlier.capacity(); at += Long.BYTES) {
      var passed = later.getLong(at) - earlier.getLong(at);
      if (passed == 0) continue;
      if (earlier.getLong(at) <= 0 || passed < 0 || passed > LONGEST_BUILD_MILLIS) {
        throw new IOException("two archives of one class list differ at octet " + at + " by more than the time");
      }
      earlier.putLong(at, 0);
    }
    Files.write(Path.of(arguments[0]), earlier.array());
  }
}

package io.wirespan;

import java.io.IOException;
import java.lang.ref.PhantomReference;
import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.file.Paths;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Shows plaintext to the kernel: each piece is written to the null device from memory outside the heap, where a probe on the virtual
 * machine's native write function reads it. Without the probe, nothing leaves the process.
 *
 * <p>A piece: magic (8 bytes), connection (u64), length of what follows the header (u32), kind (u8), direction (u8), two zeros,
 * offset in the direction (u64); then at most 32 KiB. In the byte order of the machine.
 */
final class Tap {
    /** "wspnJvm1", as a number in big-endian order of its bytes. */
    private static final long MAGIC = 0x7773706e4a766d31L;

    private static final int HEADER = 32;
    private static final int MOST = 32 << 10;

    static final byte CHUNK = 1;
    static final byte SHUTDOWN = 2;
    static final byte CLOSED = 3;
    static final byte EGRESS = 0;
    static final byte INGRESS = 1;

    private volatile FileChannel sink;
    private final AtomicLong connections = new AtomicLong();
    private final ThreadLocal<ByteBuffer> pieces =
            ThreadLocal.withInitial(() -> ByteBuffer.allocateDirect(HEADER + MOST).order(ByteOrder.nativeOrder()));
    private final ReferenceQueue<Object> collected = new ReferenceQueue<>();
    private final Set<Reference<Object>> owners = ConcurrentHashMap.newKeySet();

    private Tap(FileChannel sink) {
        this.sink = sink;
    }

    static Tap open() throws IOException {
        return new Tap(nullDevice());
    }

    /** A connection of its own number. It ends with its owner at the latest: many programs let theirs go without closing them. */
    Connection connection(Object owner) {
        for (Reference<?> gone = collected.poll(); gone != null; gone = collected.poll()) {
            ((Owner) gone).connection.close();
        }
        Connection connection = new Connection(connections.incrementAndGet());
        connection.reference = new Owner(owner, connection);
        owners.add(connection.reference);
        return connection;
    }

    private final class Owner extends PhantomReference<Object> {
        private final Connection connection;

        Owner(Object owner, Connection connection) {
            super(owner, collected);
            this.connection = connection;
        }
    }

    /** One TLS connection. */
    final class Connection {
        private final long id;
        private Owner reference;
        // Bytes moved so far: egress, ingress. Each is touched under the lock of its direction.
        private long sent;
        private long received;
        private boolean shut;
        private boolean closed;

        private Connection(long id) {
            this.id = id;
        }

        /** Shows {@code length} bytes from {@code offset} on. */
        void show(byte direction, byte[] bytes, int offset, int length) {
            show(direction, ByteBuffer.wrap(bytes, offset, length));
        }

        /** Shows what remains in a buffer, and uses it up. */
        void show(byte direction, ByteBuffer bytes) {
            int end = bytes.limit();
            while (bytes.hasRemaining()) {
                int length = Math.min(bytes.remaining(), MOST);
                bytes.limit(bytes.position() + length);
                ByteBuffer piece = begin(CHUNK, direction, length, direction == EGRESS ? sent : received);
                piece.put(bytes);
                bytes.limit(end);
                write(piece);
                if (direction == EGRESS) {
                    sent += length;
                } else {
                    received += length;
                }
            }
        }

        /** The program has ended its direction. */
        synchronized void shutdown() {
            if (!shut && !closed) {
                shut = true;
                write(begin(SHUTDOWN, EGRESS, 0, 0));
            }
        }

        synchronized void close() {
            if (!closed) {
                closed = true;
                owners.remove(reference);
                write(begin(CLOSED, EGRESS, 0, 0));
            }
        }

        private ByteBuffer begin(byte kind, byte direction, int length, long offset) {
            ByteBuffer piece = pieces.get();
            piece.clear();
            piece.order(ByteOrder.BIG_ENDIAN).putLong(MAGIC);
            piece.order(ByteOrder.nativeOrder()).putLong(id).putInt(length).put(kind).put(direction).putShort((short) 0).putLong(offset);
            return piece;
        }

        private void write(ByteBuffer piece) {
            piece.flip();
            // A thread that is interrupted in a file channel closes it for everybody: the interrupt waits until the piece is written.
            boolean interrupted = Thread.interrupted();
            try {
                sink.write(piece);
            } catch (ClosedChannelException error) {
                interrupted |= Thread.interrupted();
                reopen();
                writeAgain(piece);
            } catch (IOException ignored) {
                // The program's own traffic goes on; the null device takes everything, so this does not happen.
            } finally {
                if (interrupted) {
                    Thread.currentThread().interrupt();
                }
            }
        }

        private void writeAgain(ByteBuffer piece) {
            try {
                piece.rewind();
                sink.write(piece);
            } catch (IOException ignored) {
                // Interrupted twice in one piece: it is lost, and the offset of the next one says so.
            }
        }
    }

    private synchronized void reopen() {
        if (!sink.isOpen()) {
            try {
                sink = nullDevice();
            } catch (IOException ignored) {
                // Tried again with the next piece.
            }
        }
    }

    private static FileChannel nullDevice() throws IOException {
        return FileChannel.open(Paths.get("/dev/null"), StandardOpenOption.WRITE);
    }
}

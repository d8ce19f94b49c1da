package io.wirespan;

import java.io.IOException;
import java.io.OutputStream;

/** Shows what was written. */
final class ObservedOutput extends OutputStream {
    private final OutputStream stream;
    private final Tap.Connection connection;

    ObservedOutput(OutputStream stream, Tap.Connection connection) {
        this.stream = stream;
        this.connection = connection;
    }

    @Override
    public synchronized void write(int value) throws IOException {
        stream.write(value);
        connection.show(Tap.EGRESS, new byte[] {(byte) value}, 0, 1);
    }

    @Override
    public synchronized void write(byte[] bytes, int offset, int length) throws IOException {
        stream.write(bytes, offset, length);
        connection.show(Tap.EGRESS, bytes, offset, length);
    }

    @Override
    public void flush() throws IOException {
        stream.flush();
    }

    @Override
    public void close() throws IOException {
        try {
            stream.close();
        } finally {
            connection.close();
        }
    }
}

package io.wirespan;

import java.io.IOException;
import java.io.InputStream;

/** Shows what was read. */
final class ObservedInput extends InputStream {
    private final InputStream stream;
    private final Tap.Connection connection;
    // Not this object: close must not wait for a read.
    private final Object reading = new Object();

    ObservedInput(InputStream stream, Tap.Connection connection) {
        this.stream = stream;
        this.connection = connection;
    }

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] bytes, int offset, int length) throws IOException {
        synchronized (reading) {
            int count = stream.read(bytes, offset, length);
            if (count > 0) {
                connection.show(Tap.INGRESS, bytes, offset, count);
            }
            return count;
        }
    }

    @Override
    public int available() throws IOException {
        return stream.available();
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

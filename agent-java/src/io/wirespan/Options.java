package io.wirespan;

import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.net.Socket;
import java.net.SocketOption;
import java.util.Collections;
import java.util.Set;

/** The socket options of Java 9 and later. */
final class Options {
    private Options() {}

    static <T> void set(Socket socket, SocketOption<T> name, T value) throws IOException {
        call(socket, "setOption", new Class<?>[] {SocketOption.class, Object.class}, name, value);
    }

    @SuppressWarnings("unchecked")
    static <T> T get(Socket socket, SocketOption<T> name) throws IOException {
        return (T) call(socket, "getOption", new Class<?>[] {SocketOption.class}, name);
    }

    @SuppressWarnings("unchecked")
    static Set<SocketOption<?>> supported(Socket socket) {
        try {
            return (Set<SocketOption<?>>) call(socket, "supportedOptions", new Class<?>[0]);
        } catch (IOException error) {
            return Collections.emptySet();
        }
    }

    private static Object call(Socket socket, String name, Class<?>[] types, Object... arguments) throws IOException {
        try {
            return Socket.class.getMethod(name, types).invoke(socket, arguments);
        } catch (InvocationTargetException error) {
            Throwable cause = error.getCause();
            if (cause instanceof IOException) {
                throw (IOException) cause;
            }
            if (cause instanceof RuntimeException) {
                throw (RuntimeException) cause;
            }
            throw new IOException(cause);
        } catch (ReflectiveOperationException error) {
            throw new UnsupportedOperationException(name, error);
        }
    }
}

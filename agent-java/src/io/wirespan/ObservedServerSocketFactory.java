package io.wirespan;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLServerSocketFactory;

/** Makes server sockets that accept observed sockets. */
final class ObservedServerSocketFactory extends SSLServerSocketFactory {
    private final SSLServerSocketFactory factory;
    private final Tap tap;

    ObservedServerSocketFactory(SSLServerSocketFactory factory, Tap tap) {
        this.factory = factory;
        this.tap = tap;
    }

    private ServerSocket observed(ServerSocket socket) throws IOException {
        return socket instanceof SSLServerSocket ? new ObservedServerSocket((SSLServerSocket) socket, tap) : socket;
    }

    @Override
    public String[] getDefaultCipherSuites() {
        return factory.getDefaultCipherSuites();
    }

    @Override
    public String[] getSupportedCipherSuites() {
        return factory.getSupportedCipherSuites();
    }

    @Override
    public ServerSocket createServerSocket() throws IOException {
        return observed(factory.createServerSocket());
    }

    @Override
    public ServerSocket createServerSocket(int port) throws IOException {
        return observed(factory.createServerSocket(port));
    }

    @Override
    public ServerSocket createServerSocket(int port, int backlog) throws IOException {
        return observed(factory.createServerSocket(port, backlog));
    }

    @Override
    public ServerSocket createServerSocket(int port, int backlog, InetAddress address) throws IOException {
        return observed(factory.createServerSocket(port, backlog, address));
    }
}

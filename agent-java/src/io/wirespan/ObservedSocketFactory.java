package io.wirespan;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;

/** Makes observed sockets. */
final class ObservedSocketFactory extends SSLSocketFactory {
    private final SSLSocketFactory factory;
    private final Tap tap;

    ObservedSocketFactory(SSLSocketFactory factory, Tap tap) {
        this.factory = factory;
        this.tap = tap;
    }

    private Socket observed(Socket socket) {
        return socket instanceof SSLSocket ? new ObservedSocket((SSLSocket) socket, tap) : socket;
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
    public Socket createSocket() throws IOException {
        return observed(factory.createSocket());
    }

    @Override
    public Socket createSocket(String host, int port) throws IOException {
        return observed(factory.createSocket(host, port));
    }

    @Override
    public Socket createSocket(String host, int port, InetAddress local, int localPort) throws IOException {
        return observed(factory.createSocket(host, port, local, localPort));
    }

    @Override
    public Socket createSocket(InetAddress host, int port) throws IOException {
        return observed(factory.createSocket(host, port));
    }

    @Override
    public Socket createSocket(InetAddress host, int port, InetAddress local, int localPort) throws IOException {
        return observed(factory.createSocket(host, port, local, localPort));
    }

    @Override
    public Socket createSocket(Socket socket, String host, int port, boolean autoClose) throws IOException {
        return observed(factory.createSocket(socket, host, port, autoClose));
    }

    @Override
    public Socket createSocket(Socket socket, InputStream consumed, boolean autoClose) throws IOException {
        return observed(factory.createSocket(socket, consumed, autoClose));
    }
}

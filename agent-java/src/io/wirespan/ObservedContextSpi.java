package io.wirespan;

import java.security.KeyManagementException;
import java.security.SecureRandom;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLContextSpi;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLServerSocketFactory;
import javax.net.ssl.SSLSessionContext;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManager;

/** A context whose engines and sockets are observed. */
final class ObservedContextSpi extends SSLContextSpi {
    private final SSLContext context;
    private final Tap tap;

    ObservedContextSpi(SSLContext context, Tap tap) {
        this.context = context;
        this.tap = tap;
    }

    @Override
    protected void engineInit(KeyManager[] keys, TrustManager[] trust, SecureRandom random) throws KeyManagementException {
        context.init(keys, trust, random);
    }

    @Override
    protected SSLSocketFactory engineGetSocketFactory() {
        return new ObservedSocketFactory(context.getSocketFactory(), tap);
    }

    @Override
    protected SSLServerSocketFactory engineGetServerSocketFactory() {
        return new ObservedServerSocketFactory(context.getServerSocketFactory(), tap);
    }

    @Override
    protected SSLEngine engineCreateSSLEngine() {
        return new ObservedEngine(context.createSSLEngine(), tap);
    }

    @Override
    protected SSLEngine engineCreateSSLEngine(String host, int port) {
        return new ObservedEngine(context.createSSLEngine(host, port), tap);
    }

    @Override
    protected SSLSessionContext engineGetServerSessionContext() {
        return context.getServerSessionContext();
    }

    @Override
    protected SSLSessionContext engineGetClientSessionContext() {
        return context.getClientSessionContext();
    }

    @Override
    protected SSLParameters engineGetDefaultSSLParameters() {
        return context.getDefaultSSLParameters();
    }

    @Override
    protected SSLParameters engineGetSupportedSSLParameters() {
        return context.getSupportedSSLParameters();
    }
}

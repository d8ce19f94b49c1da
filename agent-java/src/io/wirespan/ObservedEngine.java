package io.wirespan;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.function.BiFunction;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSession;

/** Shows what goes into {@code wrap} and what comes out of {@code unwrap}; all else is the engine's own. */
final class ObservedEngine extends SSLEngine {
    private final SSLEngine engine;
    private final Tap.Connection connection;
    // Pieces are shown in the order in which the engine took them.
    private final Object egress = new Object();
    private final Object ingress = new Object();

    ObservedEngine(SSLEngine engine, Tap tap) {
        this.engine = engine;
        this.connection = tap.connection(this);
    }

    @Override
    public SSLEngineResult wrap(ByteBuffer[] sources, int offset, int count, ByteBuffer destination) throws SSLException {
        synchronized (egress) {
            ByteBuffer[] before = duplicates(sources, offset, count);
            SSLEngineResult result = engine.wrap(sources, offset, count, destination);
            show(Tap.EGRESS, before, result.bytesConsumed());
            return result;
        }
    }

    @Override
    public SSLEngineResult unwrap(ByteBuffer source, ByteBuffer[] destinations, int offset, int count) throws SSLException {
        synchronized (ingress) {
            ByteBuffer[] before = duplicates(destinations, offset, count);
            SSLEngineResult result = engine.unwrap(source, destinations, offset, count);
            show(Tap.INGRESS, before, result.bytesProduced());
            return result;
        }
    }

    /** Null where the engine itself will refuse the arguments. */
    private static ByteBuffer[] duplicates(ByteBuffer[] buffers, int offset, int count) {
        if (buffers == null || offset < 0 || count < 0 || offset > buffers.length - count) {
            return null;
        }
        ByteBuffer[] duplicates = new ByteBuffer[count];
        for (int index = 0; index < count; index++) {
            ByteBuffer buffer = buffers[offset + index];
            duplicates[index] = buffer == null ? null : buffer.duplicate();
        }
        return duplicates;
    }

    private void show(byte direction, ByteBuffer[] buffers, int length) {
        if (buffers == null) {
            return;
        }
        int left = length;
        for (ByteBuffer buffer : buffers) {
            if (left <= 0) {
                return;
            }
            if (buffer == null) {
                continue;
            }
            int moved = Math.min(left, buffer.remaining());
            buffer.limit(buffer.position() + moved);
            connection.show(direction, buffer);
            left -= moved;
        }
    }

    @Override
    public void closeInbound() throws SSLException {
        try {
            engine.closeInbound();
        } finally {
            if (engine.isOutboundDone()) {
                connection.close();
            }
        }
    }

    @Override
    public void closeOutbound() {
        engine.closeOutbound();
        connection.shutdown();
        if (engine.isInboundDone()) {
            connection.close();
        }
    }

    @Override
    public void setHandshakeApplicationProtocolSelector(BiFunction<SSLEngine, List<String>, String> selector) {
        engine.setHandshakeApplicationProtocolSelector(
                selector == null ? null : (inner, protocols) -> selector.apply(this, protocols));
    }

    @Override
    public BiFunction<SSLEngine, List<String>, String> getHandshakeApplicationProtocolSelector() {
        return engine.getHandshakeApplicationProtocolSelector();
    }

    @Override
    public String getPeerHost() {
        return engine.getPeerHost();
    }

    @Override
    public int getPeerPort() {
        return engine.getPeerPort();
    }

    @Override
    public void beginHandshake() throws SSLException {
        engine.beginHandshake();
    }

    @Override
    public Runnable getDelegatedTask() {
        return engine.getDelegatedTask();
    }

    @Override
    public boolean isInboundDone() {
        return engine.isInboundDone();
    }

    @Override
    public boolean isOutboundDone() {
        return engine.isOutboundDone();
    }

    @Override
    public SSLEngineResult.HandshakeStatus getHandshakeStatus() {
        return engine.getHandshakeStatus();
    }

    @Override
    public String[] getSupportedCipherSuites() {
        return engine.getSupportedCipherSuites();
    }

    @Override
    public String[] getEnabledCipherSuites() {
        return engine.getEnabledCipherSuites();
    }

    @Override
    public void setEnabledCipherSuites(String[] suites) {
        engine.setEnabledCipherSuites(suites);
    }

    @Override
    public String[] getSupportedProtocols() {
        return engine.getSupportedProtocols();
    }

    @Override
    public String[] getEnabledProtocols() {
        return engine.getEnabledProtocols();
    }

    @Override
    public void setEnabledProtocols(String[] protocols) {
        engine.setEnabledProtocols(protocols);
    }

    @Override
    public SSLSession getSession() {
        return engine.getSession();
    }

    @Override
    public SSLSession getHandshakeSession() {
        return engine.getHandshakeSession();
    }

    @Override
    public void setUseClientMode(boolean mode) {
        engine.setUseClientMode(mode);
    }

    @Override
    public boolean getUseClientMode() {
        return engine.getUseClientMode();
    }

    @Override
    public void setNeedClientAuth(boolean need) {
        engine.setNeedClientAuth(need);
    }

    @Override
    public boolean getNeedClientAuth() {
        return engine.getNeedClientAuth();
    }

    @Override
    public void setWantClientAuth(boolean want) {
        engine.setWantClientAuth(want);
    }

    @Override
    public boolean getWantClientAuth() {
        return engine.getWantClientAuth();
    }

    @Override
    public void setEnableSessionCreation(boolean flag) {
        engine.setEnableSessionCreation(flag);
    }

    @Override
    public boolean getEnableSessionCreation() {
        return engine.getEnableSessionCreation();
    }

    @Override
    public SSLParameters getSSLParameters() {
        return engine.getSSLParameters();
    }

    @Override
    public void setSSLParameters(SSLParameters parameters) {
        engine.setSSLParameters(parameters);
    }

    @Override
    public String getApplicationProtocol() {
        return engine.getApplicationProtocol();
    }

    @Override
    public String getHandshakeApplicationProtocol() {
        return engine.getHandshakeApplicationProtocol();
    }
}

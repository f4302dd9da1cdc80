// The itinerary of tests/tests/proxy_clients.rs with Java's HttpClient.
// usage: java Client.java URL PAYLOAD: URL is a connector's at the proxy, PAYLOAD a file of 5 MB.

import java.io.ByteArrayInputStream;
import java.math.BigInteger;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;

public class Client {
    static final String[] BINARY = {"Content-Type", "application/octet-stream"};
    static HttpClient client = client();
    static String url;

    // With its defaults: it offers an upgrade to HTTP/2 with the first call on a connection.
    static HttpClient client() {
        return HttpClient.newBuilder().followRedirects(HttpClient.Redirect.NORMAL).build();
    }

    public static void main(String[] arguments) throws Exception {
        url = arguments[0];
        Path file = Path.of(arguments[1]);
        byte[] payload = Files.readAllBytes(file);
        BodyPublisher none = BodyPublishers.noBody();
        say("get", text(call("GET", "/echo?q=a%20b&x=1", none)));
        // So that a call with a body comes first on a connection, too.
        client = client();
        say("post", text(call("POST", "/echo", BodyPublishers.ofString("{\"n\":1}"), "Content-Type", "application/json")));
        say("put", text(call("PUT", "/echo", BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(payload)), BINARY)));
        say("upload", text(call("POST", "/echo", BodyPublishers.ofFile(file), BINARY)));
        say("download", digest(call("GET", "/payload", none).body()));
        HttpResponse<byte[]> gzip = call("GET", "/gzip", none, "Accept-Encoding", "gzip");
        say("gzip", gzip.headers().firstValue("content-encoding").orElse("") + " " + digest(gzip.body()));
        HttpResponse<byte[]> head = call("HEAD", "/payload", none);
        say("head", head.statusCode() + " " + head.headers().firstValue("content-length").orElse(""));
        HttpResponse<byte[]> landed = call("GET", "/go", none);
        say("redirect", landed.uri() + " " + text(landed));
    }

    static HttpResponse<byte[]> call(String method, String path, BodyPublisher body, String... headers) throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url + path)).method(method, body).header("X-User", "ada");
        if (headers.length > 0) {
            request.headers(headers);
        }
        HttpResponse<byte[]> answer = client.send(request.build(), BodyHandlers.ofByteArray());
        if (answer.statusCode() != 200) {
            throw new IllegalStateException(method + " " + path + ": " + answer.statusCode() + " " + text(answer));
        }
        return answer;
    }

    static String text(HttpResponse<byte[]> answer) {
        return new String(answer.body(), StandardCharsets.UTF_8);
    }

    static String digest(byte[] data) throws Exception {
        return String.format("%064x", new BigInteger(1, MessageDigest.getInstance("SHA-256").digest(data)));
    }

    static void say(String what, String found) {
        System.out.println(what + " " + found);
    }
}

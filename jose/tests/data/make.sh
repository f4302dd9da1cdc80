#!/bin/sh
# Makes the throw-away keys of this folder anew. They protect nothing. See README.md.
set -eu
cd "$(dirname "$0")"
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa-pkcs8.pem
openssl rsa -in rsa-pkcs8.pem -traditional -out rsa-pkcs1.pem
openssl rsa -in rsa-pkcs8.pem -pubout -out rsa-public.pem
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out rsa-1024.pem
openssl genpkey -quiet -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out rsa-pss.pem
openssl rsa -in rsa-pkcs8.pem -traditional -aes128 -passout pass:throw-away -out rsa-proc-type.pem
openssl pkcs8 -topk8 -in rsa-pkcs8.pem -v2 aes-256-cbc -v2prf hmacWithSHA256 -passout pass:throw-away -out rsa-pbkdf2.pem
openssl pkcs8 -topk8 -in rsa-pkcs8.pem -v2 aes-256-cbc -v2prf hmacWithSHA1 -passout pass:throw-away -out rsa-pbkdf2-sha1.pem
openssl pkcs8 -topk8 -in rsa-pkcs8.pem -v2 des3 -passout pass:throw-away -out rsa-des3.pem
openssl pkcs8 -topk8 -in rsa-pkcs8.pem -v1 PBE-SHA1-3DES -passout pass:throw-away -out rsa-pbes1.pem
openssl pkcs8 -topk8 -in rsa-pkcs8.pem -scrypt -scrypt_N 4096 -passout pass:throw-away -out rsa-scrypt.pem
openssl pkcs8 -topk8 -in rsa-pkcs8.pem -v2 aes-256-cbc -iter 10000001 -passout pass:throw-away -out rsa-pbkdf2-slow.pem
openssl req -x509 -new -key rsa-pkcs8.pem -days 36500 -subj "/CN=throw-away test key" -out rsa-certificate.pem

openssl ecparam -name prime256v1 -genkey -out p256-sec1.pem
openssl pkcs8 -topk8 -nocrypt -in p256-sec1.pem -out p256-pkcs8.pem
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out p384-pkcs8.pem
openssl ec -in p384-pkcs8.pem -out p384-sec1.pem
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out p521-pkcs8.pem
openssl req -x509 -new -key p256-pkcs8.pem -days 36500 -subj "/CN=throw-away test key P-256" -out p256-certificate.pem
openssl ec -in p256-pkcs8.pem -pubout -out p256-public.pem
openssl ec -in p384-pkcs8.pem -pubout -out p384-public.pem

openssl genpkey -quiet -algorithm ED25519 -out ed25519-pkcs8.pem
openssl pkey -in ed25519-pkcs8.pem -pubout -out ed25519-public.pem
openssl genpkey -quiet -algorithm X25519 -out x25519-pkcs8.pem
ssh-keygen -q -t ed25519 -N "" -C throw-away -f ed25519-openssh.pem && rm ed25519-openssh.pem.pub

# Keystores: a chain of two certificates, so that the order matters.
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out ca.tmp
openssl req -x509 -new -key ca.tmp -days 36500 -subj "/CN=throw-away test CA" -out ca-certificate.pem
openssl req -new -key rsa-pkcs8.pem -subj "/CN=throw-away leaf" -out leaf.tmp
openssl x509 -req -in leaf.tmp -CA ca-certificate.pem -CAkey ca.tmp -days 36500 -set_serial 2 -out leaf-certificate.pem
rm -f ./*.tmp
openssl pkcs12 -export -inkey rsa-pkcs8.pem -in leaf-certificate.pem -certfile ca-certificate.pem -name orders -passout pass:changeit -out modern.p12
openssl pkcs12 -export -inkey rsa-pkcs8.pem -in rsa-certificate.pem -name orders -passout pass:changeit -out identity.p12
openssl pkcs12 -export -legacy -inkey rsa-pkcs8.pem -in leaf-certificate.pem -certfile ca-certificate.pem -name orders -passout pass:changeit -out legacy.p12
openssl pkcs12 -export -inkey ed25519-pkcs8.pem -nocerts -name bare -passout pass:changeit -out no-certificate.p12
keytool -importkeystore -srckeystore modern.p12 -srcstorepass changeit -destkeystore java.jks -deststoretype JKS -deststorepass changeit -destkeypass secondpass -srcalias orders -noprompt 2>/dev/null
keytool -importkeystore -srckeystore modern.p12 -srcstorepass changeit -destkeystore java.p12 -deststoretype PKCS12 -deststorepass changeit -noprompt 2>/dev/null
keytool -genkeypair -keystore java.p12 -storepass changeit -alias second -keyalg EC -groupname secp256r1 -dname "CN=throw-away second" -validity 36500 2>/dev/null
keytool -importkeystore -srckeystore modern.p12 -srcstorepass changeit -destkeystore java.jceks -deststoretype JCEKS -deststorepass changeit -noprompt 2>/dev/null
keytool -importcert -keystore trust-only.jks -storetype JKS -storepass changeit -alias ca -file ca-certificate.pem -noprompt 2>/dev/null
openssl x509 -in leaf-certificate.pem -noout -fingerprint -sha1 | cut -d= -f2 > leaf-sha1.txt
openssl x509 -in leaf-certificate.pem -noout -fingerprint -sha256 | cut -d= -f2 > leaf-sha256.txt

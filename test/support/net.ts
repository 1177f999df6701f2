// The daemons of this test file move their bytes by net.Socket: see jest.config.mjs.
process.env.WEBSOCK_TRANSPORT = 'net';

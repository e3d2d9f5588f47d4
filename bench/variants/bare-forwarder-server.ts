import { serveForwarder } from './forwarder.ts';

serveForwarder();

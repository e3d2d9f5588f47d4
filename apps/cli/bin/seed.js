#!/usr/bin/env node
// `npm run seed`. Plain JavaScript: see postern.js.
import '@postern/app-gateway/compile-cache';

await import('../src/seed-main.ts');

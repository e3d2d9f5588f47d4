import type { TemplateInput } from '@postern/schemas';
import { READ, WRITE } from './methods.ts';

/** Stripe creates and changes with POST, and has no other writing method but DELETE. */
const CHANGE = ['POST', 'DELETE'];

export const stripe: TemplateInput = {
  name: 'stripe',
  version: 1,
  provider: 'stripe',
  title: 'Stripe API',
  description:
    'Amounts stand in the body, which is a form: a rule that names charges.create or payments.create with a condition on ' +
    'request.body.amount lifts the approval for small ones. The field Stripe-Account makes any call act for a connected account. ' +
    'Stripe says with 429 that it is too much, not when to come back.',
  sources: [
    'https://docs.stripe.com/api',
    'https://docs.stripe.com/rate-limits',
    'https://docs.stripe.com/keys',
    'https://docs.stripe.com/api/charges/create',
    'https://docs.stripe.com/api/refunds/create',
    'https://docs.stripe.com/api/payouts/create',
    'https://docs.stripe.com/api/webhook_endpoints',
  ],
  baseUrl: 'https://api.stripe.com',
  hosts: ['api.stripe.com', 'files.stripe.com'],
  credential: { type: 'bearer', hint: 'A restricted key (rk_…) with the resources in question; test mode first' },
  actions: [
    { name: 'customers.read', methods: READ, paths: ['/v1/customers/**'], risk: 'low' },
    {
      name: 'payments.read',
      methods: READ,
      paths: [
        '/v1/charges/**',
        '/v1/payment_intents/**',
        '/v1/payment_methods/**',
        '/v1/refunds/**',
        '/v1/disputes/**',
        '/v1/checkout/sessions/**',
        '/v1/payment_links/**',
      ],
      risk: 'low',
    },
    {
      name: 'billing.read',
      methods: READ,
      paths: [
        '/v1/invoices/**',
        '/v1/invoiceitems/**',
        '/v1/subscriptions/**',
        '/v1/subscription_items/**',
        '/v1/subscription_schedules/**',
        '/v1/quotes/**',
        '/v1/credit_notes/**',
      ],
      risk: 'low',
    },
    {
      name: 'catalogue.read',
      methods: READ,
      paths: ['/v1/products/**', '/v1/prices/**', '/v1/coupons/**', '/v1/promotion_codes/**', '/v1/tax_rates/**'],
      risk: 'low',
    },
    {
      name: 'balance.read',
      methods: READ,
      paths: ['/v1/balance', '/v1/balance_transactions/**', '/v1/payouts/**', '/v1/transfers/**', '/v1/topups/**'],
      risk: 'medium',
    },
    { name: 'events.read', methods: READ, paths: ['/v1/events/**', '/v2/core/events/**'], risk: 'low' },
    {
      name: 'customers.write',
      methods: ['POST'],
      paths: ['/v1/customers', '/v1/customers/{customer}'],
      risk: 'medium',
    },
    {
      name: 'customers.delete',
      methods: ['DELETE'],
      paths: ['/v1/customers/{customer}', '/v1/customers/{customer}/'],
      risk: 'high',
      approval: 'required',
    },
    // A customer's balance pays later invoices.
    {
      name: 'customers.credit',
      methods: ['POST'],
      paths: ['/v1/customers/{customer}/balance_transactions/**', '/v1/customers/{customer}/cash_balance/**'],
      risk: 'high',
      approval: 'required',
    },
    { name: 'catalogue.write', methods: ['POST'], paths: ['/v1/products/**', '/v1/prices/**'], risk: 'medium' },
    { name: 'catalogue.delete', methods: ['DELETE'], paths: ['/v1/products/**', '/v1/plans/**'], risk: 'high' },
    { name: 'discounts.write', methods: CHANGE, paths: ['/v1/coupons/**', '/v1/promotion_codes/**'], risk: 'high' },
    // Medium, so that a rule which names it with a condition can allow it without a person.
    {
      name: 'charges.create',
      methods: ['POST'],
      paths: ['/v1/charges', '/v1/charges/'],
      risk: 'medium',
      approval: 'required',
    },
    {
      name: 'payments.create',
      methods: ['POST'],
      paths: ['/v1/payment_intents/**', '/v1/charges/{charge}/capture'],
      risk: 'medium',
      approval: 'required',
    },
    { name: 'payments.cancel', methods: ['POST'], paths: ['/v1/payment_intents/{intent}/cancel'], risk: 'medium' },
    {
      name: 'payment-methods.write',
      methods: ['POST'],
      paths: ['/v1/payment_methods/**', '/v1/setup_intents/**'],
      risk: 'high',
    },
    {
      name: 'refunds.create',
      methods: ['POST'],
      paths: ['/v1/refunds/**', '/v1/application_fees/{fee}/refunds/**', '/v1/credit_notes/**'],
      risk: 'high',
      approval: 'required',
    },
    { name: 'disputes.write', methods: ['POST'], paths: ['/v1/disputes/**'], risk: 'high', approval: 'required' },
    {
      name: 'payouts.write',
      methods: ['POST'],
      paths: ['/v1/payouts/**', '/v1/transfers/**', '/v1/topups/**'],
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'invoices.write',
      methods: CHANGE,
      paths: ['/v1/invoices', '/v1/invoices/{invoice}', '/v1/invoices/create_preview', '/v1/invoiceitems/**'],
      risk: 'medium',
    },
    {
      name: 'invoices.settle',
      methods: ['POST'],
      paths: [
        '/v1/invoices/{invoice}/finalize',
        '/v1/invoices/{invoice}/pay',
        '/v1/invoices/{invoice}/send',
        '/v1/invoices/{invoice}/void',
        '/v1/invoices/{invoice}/mark_uncollectible',
      ],
      risk: 'high',
    },
    {
      name: 'subscriptions.write',
      methods: ['POST'],
      paths: ['/v1/subscriptions/**', '/v1/subscription_items/**', '/v1/subscription_schedules/**'],
      risk: 'high',
    },
    {
      name: 'subscriptions.cancel',
      methods: ['DELETE'],
      paths: ['/v1/subscriptions/**', '/v1/subscription_items/**'],
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'checkout.write',
      methods: ['POST'],
      paths: ['/v1/checkout/sessions/**', '/v1/payment_links/**', '/v1/billing_portal/sessions'],
      risk: 'medium',
    },
    {
      name: 'accounts.write',
      methods: CHANGE,
      paths: ['/v1/accounts/**', '/v1/account_links/**', '/v1/account_sessions/**', '/v2/core/accounts/**'],
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'webhooks.write',
      methods: CHANGE,
      paths: ['/v1/webhook_endpoints/**', '/v2/core/event_destinations/**'],
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'credentials.write',
      methods: CHANGE,
      paths: ['/v1/ephemeral_keys/**', '/v1/apps/secrets/**', '/v1/terminal/connection_tokens/**'],
      risk: 'high',
      approval: 'required',
    },
    // Asked to expand them, Stripe answers with a card's number and code.
    { name: 'issuing.read', methods: READ, paths: ['/v1/issuing/**'], risk: 'high', approval: 'required' },
    { name: 'issuing.write', methods: ['POST'], paths: ['/v1/issuing/**'], risk: 'high', approval: 'required' },
    { name: 'other.write', methods: WRITE, paths: ['/**'], risk: 'high', approval: 'required' },
  ],
  limitSignals: [{ statuses: [429], wait: { header: 'retry-after', as: 'retry-after' } }],
};

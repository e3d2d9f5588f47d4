import type { TemplateInput } from '@postern/schemas';
import { READ, WRITE } from './methods.ts';

export const pagerduty: TemplateInput = {
  name: 'pagerduty',
  version: 1,
  provider: 'pagerduty',
  title: 'PagerDuty REST API',
  description:
    'The REST API alone; events are taken by events.pagerduty.com with a routing key in the body. Acknowledging, resolving and ' +
    'reassigning an incident are one update: rule on request.body.incident.status. Whom it is made for stands in the field From. ' +
    'Asked to include them (include[]=integrations), a service shows the keys of its integrations: rule on request.query.',
  sources: [
    'https://developer.pagerduty.com/api-reference/',
    'https://developer.pagerduty.com/docs/rest-api-rate-limits',
    'https://developer.pagerduty.com/docs/authentication',
    'https://support.pagerduty.com/main/docs/rest-api-rate-limits',
    'https://support.pagerduty.com/main/docs/api-access-keys',
  ],
  baseUrl: 'https://api.pagerduty.com',
  hosts: ['api.pagerduty.com', 'api.eu.pagerduty.com'],
  credential: {
    type: 'header',
    name: 'Authorization',
    prefix: 'Token token=',
    hint: 'The API key of a user with the least role that will do; a key of the account can do everything. OAuth: type bearer',
  },
  actions: [
    {
      name: 'incidents.read',
      methods: READ,
      paths: ['/incidents/**', '/log_entries/**', '/change_events/**', '/priorities'],
      risk: 'low',
    },
    {
      name: 'oncalls.read',
      methods: READ,
      paths: ['/oncalls', '/schedules/**', '/escalation_policies/**', '/maintenance_windows/**'],
      risk: 'low',
    },
    {
      name: 'services.read',
      methods: READ,
      paths: ['/services', '/services/{service}', '/business_services/**', '/service_dependencies/**', '/teams/**'],
      risk: 'low',
    },
    { name: 'users.read', methods: READ, paths: ['/users', '/users/{user}'], risk: 'low' },
    // Telephone numbers and addresses.
    {
      name: 'contacts.read',
      methods: READ,
      paths: ['/users/{user}/contact_methods/**', '/users/{user}/notification_rules/**'],
      risk: 'medium',
    },
    // The answer holds the keys by which anyone can send events.
    {
      name: 'integrations.read',
      methods: READ,
      paths: ['/services/{service}/integrations/**'],
      risk: 'high',
    },
    // Read by POST.
    { name: 'analytics.read', methods: ['POST'], paths: ['/analytics/metrics/**', '/analytics/raw/**'], risk: 'low' },
    // Wakes whoever is on call.
    { name: 'incidents.create', methods: ['POST'], paths: ['/incidents'], risk: 'high' },
    { name: 'incidents.update', methods: ['PUT'], paths: ['/incidents/{incident}'], risk: 'medium' },
    { name: 'incidents.bulk', methods: ['PUT'], paths: ['/incidents', '/incidents/{incident}/alerts'], risk: 'medium' },
    { name: 'incidents.note', methods: ['POST'], paths: ['/incidents/{incident}/notes'], risk: 'low' },
    { name: 'incidents.snooze', methods: ['POST'], paths: ['/incidents/{incident}/snooze'], risk: 'medium' },
    { name: 'incidents.merge', methods: ['PUT'], paths: ['/incidents/{incident}/merge'], risk: 'high' },
    { name: 'incidents.page', methods: ['POST'], paths: ['/incidents/{incident}/responder_requests'], risk: 'high' },
    // Mail to all subscribers.
    {
      name: 'incidents.announce',
      methods: ['POST'],
      paths: ['/incidents/{incident}/status_updates/**'],
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'overrides.write',
      methods: ['POST', 'DELETE'],
      paths: ['/schedules/{schedule}/overrides/**'],
      risk: 'high',
    },
    // Who is called, and who is not.
    {
      name: 'schedules.write',
      methods: WRITE,
      paths: ['/schedules/**', '/escalation_policies/**'],
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'maintenance.write',
      methods: WRITE,
      paths: ['/maintenance_windows/**'],
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'services.write',
      methods: WRITE,
      paths: ['/services/**', '/business_services/**', '/service_dependencies/**'],
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'orchestrations.write',
      methods: WRITE,
      paths: ['/event_orchestrations/**', '/rulesets/**'],
      risk: 'high',
      approval: 'required',
    },
    { name: 'access.write', methods: WRITE, paths: ['/users/**', '/teams/**'], risk: 'high', approval: 'required' },
    {
      name: 'webhooks.write',
      methods: WRITE,
      paths: ['/webhook_subscriptions/**', '/extensions/**'],
      risk: 'high',
      approval: 'required',
    },
    // Scripts on machines of the account.
    {
      name: 'automation.run',
      methods: ['POST'],
      paths: ['/automation_actions/actions/{action}/invocations/**', '/incident_workflows/{workflow}/instances/**'],
      risk: 'high',
      approval: 'required',
    },
    { name: 'status-pages.write', methods: WRITE, paths: ['/status_pages/**'], risk: 'high', approval: 'required' },
    { name: 'other.write', methods: WRITE, paths: ['/**'], risk: 'high', approval: 'required' },
  ],
  limitSignals: [{ statuses: [429], wait: { header: 'ratelimit-reset', as: 'seconds' } }],
};

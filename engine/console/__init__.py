"""What people and their systems see of the service over HTTP, beside what Stripe does."""

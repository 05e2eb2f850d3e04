"""What happens after the commit: deliveries are attempted, and what was left behind is picked up again."""

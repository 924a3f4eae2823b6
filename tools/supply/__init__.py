"""What Handover is made of by others: its bill of materials, their licences, what is known against them."""
